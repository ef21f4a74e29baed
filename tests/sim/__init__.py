"""The whole switch on virtual time: `python -m tests.sim --seed 7` runs one simulated storm and says what
became of it."""
