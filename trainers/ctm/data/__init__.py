"""Data of the CTM trainer: lexemes, vocabulary, grid, edits, bugs, and the sets made of them."""
