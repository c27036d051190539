"""STAND-INS for services that a user may not have at hand: real programs, small."""
