"""The Continuous Thought Machine that repairs Python: data, model, training, evaluation."""
