"""`python -m agents.cli` is `occ`, for where the script is not on the path."""

from agents.cli import main

main(prog_name="occ")
