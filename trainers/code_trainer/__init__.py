"""The HDC trainer on SWE tasks: localise, factorise, retrieve and generate, verify, learn."""
