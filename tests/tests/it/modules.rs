//! Rules about the modules of every crate, read from the sources: no circles, and arrows that point
//! down only.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::module_graph::{Floors, ModuleGraph, Sources};

/// The crates by their folders, and the floors of each from the ground up: a module may use what stands
/// on lower floors, and modules of one floor do not know each other.
const CRATES: [(&str, Floors); 10] = [
    ("formats", FORMATS),
    ("formats/jpeg", JPEG),
    ("store", STORE),
    ("prep", PREP),
    ("loader", LOADER),
    ("loader/kernels", KERNELS),
    ("trainer", TRAINER),
    ("python", PYTHON),
    ("python/train", Floors::NONE),
    ("tests/jpeg", JPEG_KIT),
];

const FORMATS: Floors = Floors {
    floors: &[
        &[
            "causes",
            "checksum",
            "panic_message",
            "philox",
            "printable",
            "schema",
            "stream_hash",
            "sums",
            "words",
        ],
        &["console", "key", "permutation", "shape", "statistics"],
        &["codec", "error"],
        &["header", "metadata"],
        &["index", "manifest", "writer"],
        &["mismatch"],
    ],
    strangers: &[],
};

const JPEG: Floors = Floors {
    floors: &[
        &[
            "codes", "colour", "damage", "entropy", "integer", "options", "standard", "zigzag",
        ],
        &[
            "bits",
            "colour_space",
            "frame",
            "intervals",
            "lanes",
            "segments",
            "tables",
        ],
        &["convert", "planes", "scan_header", "vectorise"],
        &["blocks", "header", "progression", "transform", "upsample"],
        // The two transforms, and what brings coefficients to them.
        &["coefficients", "float", "pairs", "sequential"],
        &["multiscan", "rows"],
        &["decoder"],
    ],
    strangers: &[],
};

const STORE: Floors = Floors {
    floors: &[
        &["address", "mapped", "object"],
        &["tried"],
        &["error"],
        &["client"],
        &["remote"],
        &["cache"],
    ],
    strangers: &[],
};

const PREP: Floors = Floors {
    floors: &[
        &["choice", "part"],
        &["error", "reject"],
        &["decode", "observe"],
        &["io"],
        &["shards", "source"],
        &["record"],
        // What makes a dataset, and what is done with a finished one.
        &["dataset", "ingest", "write"],
        &["cli"],
    ],
    strangers: &[],
};

const LOADER: Floors = Floors {
    floors: &[
        &["error", "process", "settings"],
        &["data"],
        &["order"],
        &["augment"],
        &["pipeline"],
        &["loader"],
        &["builder"],
        &["cli"],
    ],
    strangers: &[],
};

const KERNELS: Floors = Floors {
    floors: &[
        &[
            "arithmetic",
            "axis",
            "instructions",
            "pages",
            "tint",
            "value",
            "window",
        ],
        // The same pixels with and without instructions of its own.
        &["avx2", "colour", "portable"],
        &["kernel", "limits"],
        // What writes through the kernel.
        &["resize"],
        &["canvas"],
    ],
    strangers: &[],
};

const TRAINER: Floors = Floors {
    floors: &[
        // What AlexNet is.
        &["net"],
        &["recipe", "compute"],
        // What processes that train together say to each other.
        &["ranks"],
        // What computes it.
        &["cpu", "cuda::device"],
        &["cuda::kernels"],
        &["cuda::conv"],
        &["cuda"],
        // What chooses, and the same operations for candle.
        &["candle_ops", "engine"],
        &["checkpoint"],
        // What trains.
        &["run"],
        // What looks on, and the network for programs of others.
        &["analysis", "network"],
        &["tools"],
        &["report"],
        &["study"],
        &["cli"],
    ],
    strangers: &[("cpu", "cuda")],
};

const PYTHON: Floors = Floors {
    floors: &[
        &["errors"],
        &[
            "dataset",
            "lend",
            "observe",
            "programs",
            "settings",
            "transform",
        ],
        &["batch"],
        &["epoch"],
        &["loader"],
        &["prepare"],
        &["shared", "writer"],
    ],
    strangers: &[],
};

const JPEG_KIT: Floors = Floors {
    floors: &[
        &[
            "dct", "frame", "header", "huffman", "peer", "plane", "random", "token", "zigzag",
        ],
        &["blocks", "quantisation", "sequential", "standard"],
        &["content", "scan", "tables"],
        &["bits", "progressive", "scans"],
        // The whole description, and the bytes of it.
        &["jpeg"],
        &["entropy"],
        &["write"],
        // Many descriptions, and damage.
        &["grid", "mutate"],
        &["seeds"],
    ],
    strangers: &[],
};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn graph(folder: &str) -> ModuleGraph {
    ModuleGraph::new(&Sources::read(&root().join(folder).join("src")))
}

/// Panics with what `faults` finds in each crate, if it finds anything.
fn expect_none(what: &str, faults: impl Fn(&ModuleGraph, &Floors) -> Vec<String>) {
    let mut text = String::new();
    for (folder, floors) in &CRATES {
        let found = faults(&graph(folder), floors);
        if !found.is_empty() {
            let _ = write!(text, "\n{folder}: {what}: {}\n", found.len());
        }
        for (at, fault) in found.iter().enumerate() {
            let _ = writeln!(text, "{}. {fault}", at + 1);
        }
    }
    assert!(text.is_empty(), "{text}");
}

#[test]
fn every_crate_has_its_floors() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap().iter();
    let members = members.map(|member| member.as_str().unwrap());
    // The Python packages are workspaces of their own; nothing is built on tests and benches.
    let expected: BTreeSet<&str> = members
        .filter(|member| !["tests", "benches"].contains(member))
        .chain(["python", "python/train"])
        .collect();
    let found: BTreeSet<&str> = CRATES.iter().map(|(folder, _)| *folder).collect();
    assert_eq!(found, expected);
}

/// A path that is not followed would be a missing arrow.
#[test]
fn every_path_and_method_is_followed() {
    expect_none("paths that lead nowhere", |graph, _| graph.unresolved());
    expect_none(
        "blocks away from their type, with methods that other types have too",
        |graph, _| graph.methods_that_hide(),
    );
    let arrows = |folder| graph(folder).top_level_arrows().len();
    assert!(arrows("formats") > 20 && arrows("trainer") > 20);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    expect_none("circles of files", |graph, _| graph.circles_of_files());
}

#[test]
fn no_folders_use_each_other_in_a_circle() {
    expect_none(
        "circles of modules, each with all that it holds",
        |graph, _| {
            let found = graph.folders().into_iter();
            found
                .flat_map(|folder| graph.circles_within(&folder))
                .collect()
        },
    );
}

#[test]
fn arrows_between_modules_point_down_only() {
    expect_none("faults against the floors", |graph, floors| {
        floors.faults(graph)
    });
}
