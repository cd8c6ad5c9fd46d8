//! The Shardmill shard format.
