"""`make try-neonize`: hold another version of neonize against what the product relies on."""
