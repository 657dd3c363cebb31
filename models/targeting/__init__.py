"""Which activity a region will take up, keep or lose: measures of region x activity pairs, and a ranker of them."""
