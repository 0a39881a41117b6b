"""What runs inside the zygote and its children: standard library only, nothing of the judge's."""
