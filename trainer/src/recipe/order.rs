//! The order of the training images, as recipes and checkpoints hold it: a word.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use shardmill_loader::Order;

pub(super) fn serialize<S: Serializer>(order: &Order, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(order)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Order, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// What is wrong with an order for training.
pub(super) fn problem(order: Order) -> Option<String> {
    (order == Order::Sequential).then(|| {
        "the order is sequential; training images are shuffled: choose global, blocks or shards"
            .to_owned()
    })
}
