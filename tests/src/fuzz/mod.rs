//! What the fuzzer calls: a check and seeds for each parser that reads bytes of strangers.
//!
//! `fuzz/` makes a program of each target; the test `regressions` replays seeds and findings without a fuzzer.

mod archives;
mod datasets;
mod decoder;
mod images;
mod lists;
mod packs;
mod panics;
mod pictures;
mod scratch;
mod sources;

/// A parser under test.
pub struct Target {
    /// The name of its program in `fuzz/targets` and of its folder in `fuzz/regressions`.
    pub name: &'static str,
    /// Parses an input, and panics if the parser breaks a promise.
    check: fn(&[u8]),
    /// Small valid inputs with their names.
    seeds: fn() -> Vec<Seed>,
}

/// A name and the bytes of an input.
pub type Seed = (String, Vec<u8>);

/// Every target, by name.
pub const TARGETS: [Target; 18] = [
    target("bmp", images::bmp, pictures::bmps),
    target("decoder", decoder::decoder, decoder::seeds),
    target("devkit", sources::devkit, packs::devkits),
    target("export", sources::export, lists::exports),
    target("gif", images::gif, pictures::gifs),
    target("jpeg", images::jpeg, pictures::jpegs),
    target("jpeg_record", datasets::jpeg_record, datasets::jpeg_records),
    target("labels", sources::labels, lists::labels),
    target("list", sources::list, lists::lists),
    target("manifest", datasets::manifest, datasets::manifests),
    target("official", sources::official, archives::officials),
    target("parquet", sources::parquet, packs::parquets),
    target("png", images::png, pictures::pngs),
    target("shard", datasets::shard, datasets::shards),
    target("tar", sources::tar, archives::tars),
    target("tiff", images::tiff, pictures::tiffs),
    target("webp", images::webp, pictures::webps),
    target("zstd_record", datasets::zstd_record, datasets::zstd_records),
];

const fn target(name: &'static str, check: fn(&[u8]), seeds: fn() -> Vec<Seed>) -> Target {
    Target { name, check, seeds }
}

impl Target {
    /// The target of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Gives an input to the parser.
    ///
    /// # Panics
    /// If the parser panics or breaks a promise, even where a panic of its own was caught and became an error.
    /// A panic inside of another's crate that was caught and became an error is named once and no finding.
    pub fn run(&self, input: &[u8]) {
        panics::watch();
        (self.check)(input);
        if let Some(panic) = panics::caught() {
            panic!("{}: a panic became an error: {panic}", self.name);
        }
    }

    /// Small valid inputs, the same in every run.
    #[must_use]
    pub fn seeds(&self) -> Vec<Seed> {
        (self.seeds)()
    }
}
