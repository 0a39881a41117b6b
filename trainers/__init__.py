"""What learns: the stages of a round and what they share."""
