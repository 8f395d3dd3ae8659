"""A bundle's facts for papers and leaderboards, each format a pure function of the rows; one file a format."""
