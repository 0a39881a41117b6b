"""The Continuous Thought Machine that repairs code, and the models it is compared with."""
