"""Generated from the contract, `brigade.v1`, by generate.py."""
