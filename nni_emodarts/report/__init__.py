"""Looking at runs: drawings, the search as a film, one page that holds it all. Runs are read here and never trained."""
