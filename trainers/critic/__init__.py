"""The critic: samples and labels, a trained model of P(pass | prompt, code), best-of-N."""
