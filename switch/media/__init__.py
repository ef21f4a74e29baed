"""Media control: which relay ports serve which call, and the session descriptions that say so. No packet
passes here."""
