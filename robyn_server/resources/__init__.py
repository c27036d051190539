"""NOUNS. Frozen values and pure rules; imports none of our other rooms but `errors`."""
