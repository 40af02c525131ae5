"""Floor 3, the rulebook: limits as dated data with their articles, judged over facts; what is missing is unknown."""
