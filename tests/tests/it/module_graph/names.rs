//! The modules of a crate and the names that stand in each.

use std::collections::{BTreeMap, BTreeSet};

/// Where a name can stand: Rust lets a module and a function share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Namespace {
    Type,
    Value,
    Macro,
}

pub(super) const NAMESPACES: [Namespace; 3] = [Namespace::Type, Namespace::Value, Namespace::Macro];

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Meaning {
    /// A module of the crate, by its place in the list of modules.
    Module(usize),
    /// An enum and its variants, which a glob import brings into scope.
    Enum(BTreeSet<String>),
    /// Everything else.
    Item,
}

/// An item and the module that defines it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Definition {
    pub(super) module: usize,
    pub(super) name: String,
    pub(super) meaning: Meaning,
}

impl Definition {
    pub(super) fn is_module(&self) -> bool {
        matches!(self.meaning, Meaning::Module(_))
    }
}

/// One name of a `use` declaration.
#[derive(Clone, Debug)]
pub(super) struct Import {
    /// What it is called here; `_` for a trait without a name, `*` for a glob.
    pub(super) name: String,
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// Whether other modules see it, so that it passes a name on.
    pub(super) is_public: bool,
    /// `{self}` imports a module and nothing else of its name.
    pub(super) only_types: bool,
    /// Whether the declaration itself is an arrow; if not, each use of the name is.
    pub(super) is_arrow: bool,
}

impl Import {
    pub(super) fn is_glob(&self) -> bool {
        self.name == "*"
    }

    pub(super) fn namespaces(&self) -> &'static [Namespace] {
        if self.only_types {
            &[Namespace::Type]
        } else {
            &NAMESPACES
        }
    }
}

/// One module: a file, or a block inside one.
pub(super) struct Module {
    /// `net::layer`; empty for the root.
    pub(super) path: String,
    /// Relative to `src`.
    pub(super) file: String,
    pub(super) parent: Option<usize>,
    /// What `crate` means here.
    pub(super) root: usize,
    /// The module that is this one's whole file.
    pub(super) whole_file: usize,
    pub(super) items: Vec<syn::Item>,
    pub(super) names: BTreeMap<(String, Namespace), Vec<Definition>>,
    pub(super) imports: Vec<Import>,
    /// Names that a call of a macro seems to define; they stand behind all others.
    pub(super) generated: BTreeSet<String>,
    /// Whether `#[macro_use]` passes its macros on to the modules after it.
    pub(super) passes_macros: bool,
}

/// Every module of a crate; the root comes first.
pub(super) struct Modules {
    pub(super) all: Vec<Module>,
    pub(super) library: String,
}

impl Modules {
    /// The module that is the whole file of this one.
    pub(super) fn file_of(&self, module: usize) -> usize {
        self.all[module].whole_file
    }

    /// Whether `above` holds `module`, at any depth.
    pub(super) fn is_ancestor(&self, above: usize, module: usize) -> bool {
        let mut at = self.all[module].parent;
        while let Some(parent) = at {
            if parent == above {
                return true;
            }
            at = self.all[parent].parent;
        }
        false
    }
}
