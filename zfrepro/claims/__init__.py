"""The paper's claims, and what becomes of each by our results: one rule a claim, one judge."""
