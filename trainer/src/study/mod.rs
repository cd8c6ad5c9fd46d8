//! The paper's comparisons: several networks trained alike, several times, and what that shows.
