//! Pages about runs: charts, tables and pictures in files that open anywhere.
