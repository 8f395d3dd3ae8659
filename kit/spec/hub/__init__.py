"""The Hub: repositories of models and data sets, by commit, through the Hub's own client."""
