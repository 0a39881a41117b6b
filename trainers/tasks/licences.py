"""Under which licences the data sets are, by the source that their problems are stored with."""

LICENCES = {
    "mbpp": "CC-BY-4.0",
    "mbppplus": "Apache-2.0",
    "humaneval": "MIT",
    "humanevalplus": "Apache-2.0",
    "apps": "MIT",
    "basics": "Apache-2.0",
}
