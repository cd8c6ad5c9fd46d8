//! The one integration binary: what holds across crates, with real files and real processes.

mod ablations; // every ablation of the paper learns from real images; run by name
mod causes; // an error says each cause once
mod compared; // runs beside each other, and the card of exported weights
mod damage; // every kind of damage to a dataset is found and named by the programs
mod demo; // the demo's pictures cannot be told apart by colour
mod documents; // what README and docs print runs as it stands
mod epochs; // batches of shards that prep made are the same on any number of threads
mod evaluated; // views, splits and subsets of classes, as a user asks for them
mod exchange; // a network goes out, comes back, and predicts the same
mod features; // features of splits, and the neighbours among them
mod flags; // values that are given are used, refused or spoken of
mod golden; // datasets of earlier versions still open
mod ingest; // from image trees to shards: the same bytes on any number of threads
mod interrupted; // a killed or divided ingest ends in the bytes of an undisturbed one
mod layouts; // the same images in every layout become the same records
mod million; // a source of ImageNet's size; run by name
mod module_graph; // which module of a crate uses which
mod modules; // rules about the modules of every crate
mod photos; // the JPEG decoder on real photographs
mod pillow; // records are what Pillow makes of the same images
mod pipes; // a reader that goes away changes nothing but what is read
mod predicted; // folders, broken files and odd names in `train predict`
mod python; // what the Python package is held to
mod regressions; // what a fuzzer starts from and what it has found
mod report; // pages about runs: whole, well-formed, and nothing from outside
mod resumed; // a stopped and resumed run ends as one that never was
mod several; // one of several processes that nothing connects is refused
mod small_disk; // a disk that fills up in the middle of an ingest
mod stock; // the stock safetensors reader sees what ours sees
mod study; // arms, seeds and results of studies, interrupted and resumed
mod tidy; // rules about the source itself
#[cfg(unix)]
mod watched; // runs in the terminal: watched from outside, and their own progress
mod wrong_use; // one clear message, a non-zero exit, nothing left behind
