//! The functions of `impl` blocks, and which of their calls can be followed.
//!
//! `Type::function` names its type, and so its block. The call of a method names nothing. If its
//! block stands away from the type and no other method of the crate has its name, a call by that name
//! leads to the block, in modules that can have a value of the type because they reach its module.
//! Names that the standard library's types have too are never followed.

use std::collections::{BTreeMap, BTreeSet};

use syn::{ImplItem, Item, ItemImpl, TraitItem, Type};

use super::declare::text;
use super::names::{Modules, Namespace};
use super::uses::{Arrow, Place, path_names};

/// Methods of the standard library that one would give a type of one's own.
const STANDARD: &str = "\
    add all any as_bytes as_mut as_ptr as_ref as_slice as_str borrow cast clear clone close \
    contains copy_from_slice count drain entry extend fill filter find first flush get \
    get_mut insert iter join keys last len lock map max min new next position pop push read \
    recv remove replace resize reverse seek send sort split start sum swap take truncate \
    values wait write";

/// A type of the crate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TypeName {
    pub(super) module: usize,
    pub(super) name: String,
}

/// Every function of an `impl` block.
#[derive(Default)]
pub(super) struct Methods {
    /// The modules of the blocks that hold a function of a type.
    functions: BTreeMap<(TypeName, String), BTreeSet<usize>>,
    /// How many blocks and traits have a method of a name.
    defined: BTreeMap<String, usize>,
    pub(super) away: Vec<BlockAway>,
}

/// A block with methods in another file than its type.
pub(super) struct BlockAway {
    pub(super) block: usize,
    pub(super) home: usize,
    pub(super) place: Place,
    methods: Vec<String>,
}

/// The call of a method that may be that of a block away from its type.
pub(super) struct Call {
    pub(super) module: usize,
    pub(super) method: String,
    pub(super) place: Place,
}

impl Methods {
    pub(super) fn new(modules: &Modules) -> Self {
        let mut found = Self::default();
        for (at, module) in modules.all.iter().enumerate() {
            for item in &module.items {
                match item {
                    Item::Impl(item) => found.add_block(modules, at, item),
                    Item::Trait(item) => {
                        let functions = item.items.iter().filter_map(|item| match item {
                            TraitItem::Fn(function) => Some(&function.sig.ident),
                            _ => None,
                        });
                        functions.for_each(|name| found.count(text(name)));
                    }
                    _ => {}
                }
            }
        }
        found
    }

    /// The module of the only block that holds this function of a type.
    pub(super) fn block_of(&self, of: &TypeName, function: &str) -> Option<usize> {
        let blocks = self.functions.get(&(of.clone(), function.to_owned()))?;
        blocks.first().copied().filter(|_| blocks.len() == 1)
    }

    /// The blocks away from their types that hold this method, if all its calls are theirs.
    pub(super) fn blocks_called(&self, method: &str) -> impl Iterator<Item = &BlockAway> {
        let is_only_one = self.is_only_one(method);
        let away = self.away.iter();
        away.filter(move |block| is_only_one && block.methods.iter().any(|name| name == method))
    }

    /// The methods of a block whose calls could be another's.
    pub(super) fn not_followed<'a>(&'a self, block: &'a BlockAway) -> Vec<&'a str> {
        let methods = block.methods.iter().map(String::as_str);
        methods.filter(|name| !self.is_only_one(name)).collect()
    }

    /// Whether a call by this name can be no other method's.
    fn is_only_one(&self, method: &str) -> bool {
        self.defined.get(method) == Some(&1) && !STANDARD.split(' ').any(|name| name == method)
    }

    fn count(&mut self, method: String) {
        *self.defined.entry(method).or_default() += 1;
    }

    fn add_block(&mut self, modules: &Modules, at: usize, item: &ItemImpl) {
        let functions = item.items.iter().filter_map(|item| match item {
            ImplItem::Fn(function) => Some((text(&function.sig.ident), function)),
            _ => None,
        });
        let methods = functions.filter(|(_, function)| function.sig.receiver().is_some());
        let methods: Vec<String> = methods.map(|(name, _)| name).collect();
        for method in &methods {
            self.count(method.clone());
        }
        let home = type_of(modules, at, item).filter(|_| item.trait_.is_none());
        let Some(home) = home else { return };
        for inner in &item.items {
            let name = match inner {
                ImplItem::Fn(function) => text(&function.sig.ident),
                ImplItem::Const(constant) => text(&constant.ident),
                _ => continue,
            };
            self.functions
                .entry((home.clone(), name))
                .or_default()
                .insert(at);
        }
        let (block, home_file) = (modules.file_of(at), modules.file_of(home.module));
        if block != home_file && !methods.is_empty() {
            self.away.push(BlockAway {
                block,
                home: home_file,
                place: Place {
                    file: modules.all[at].file.clone(),
                    line: item.impl_token.span.start().line,
                    code: format!("impl {}", home.name),
                },
                methods,
            });
        }
    }
}

/// The type that a block is for, if the crate defines it.
pub(super) fn type_of(modules: &Modules, at: usize, item: &ItemImpl) -> Option<TypeName> {
    let Type::Path(path) = &*item.self_ty else {
        return None;
    };
    let names = path_names(&path.path)?;
    let found = modules.resolve(at, &names, &[Namespace::Type]);
    let definition = &found.first()?.definition;
    Some(TypeName {
        module: definition.module,
        name: definition.name.clone(),
    })
}

/// Adds the calls of methods to the arrows, in modules that reach the type.
pub(super) fn follow_calls(methods: &Methods, calls: &[Call], arrows: &mut Vec<Arrow>) {
    let mut waiting: Vec<Arrow> = Vec::new();
    let mut homes = Vec::new();
    for call in calls {
        for away in methods.blocks_called(&call.method) {
            if call.module != away.block {
                homes.push(away.home);
                waiting.push(Arrow {
                    from: call.module,
                    to: away.block,
                    place: call.place.clone(),
                });
            }
        }
    }
    let mut is_added = vec![false; waiting.len()];
    // A call that is followed lets its module reach further types.
    loop {
        let before = arrows.len();
        let reached = reached(arrows);
        for (at, arrow) in waiting.iter().enumerate() {
            let reaches = |home| {
                reached
                    .get(&arrow.from)
                    .is_some_and(|all| all.contains(&home))
            };
            if !is_added[at] && (arrow.from == homes[at] || reaches(homes[at])) {
                is_added[at] = true;
                arrows.push(arrow.clone());
            }
        }
        if arrows.len() == before {
            return;
        }
    }
}

/// What each module reaches by one arrow or more.
fn reached(arrows: &[Arrow]) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut reached: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for arrow in arrows {
        reached.entry(arrow.from).or_default().insert(arrow.to);
    }
    loop {
        let mut has_grown = false;
        for from in reached.keys().copied().collect::<Vec<_>>() {
            let further = reached[&from].iter().filter_map(|to| reached.get(to));
            let further: BTreeSet<usize> = further.flatten().copied().collect();
            let all = reached.entry(from).or_default();
            let before = all.len();
            all.extend(further);
            has_grown |= all.len() > before;
        }
        if !has_grown {
            return reached;
        }
    }
}
