"""Edits that repair: mined from fixes, instantiated in scope, searched with the sandbox.

The path through it: ``diff`` finds what a fix changed, ``abstraction`` makes patterns of that,
``library`` counts them; ``instantiate`` makes a program's candidates of patterns, ``priors`` orders
them, ``search`` runs them. After TBar (Liu et al. 2019) and Getafix (Bader et al. 2019), with the
templates mined where TBar's were written by hand.
"""
