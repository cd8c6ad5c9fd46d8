//! Files whose pixels or damage were taken wrongly.
