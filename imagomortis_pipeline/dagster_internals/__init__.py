"""Everything that touches a private name or table of Dagster.

Its tests fail if Dagster changes one of them. `make check-next-dagster` runs these tests with the newest Dagster.
"""
