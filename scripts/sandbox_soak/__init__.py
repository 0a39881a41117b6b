"""What the soak of the sandbox is made of: its programs, what it looks at, its kills."""
