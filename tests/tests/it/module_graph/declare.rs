//! Builds the list of modules: reads each file and notes what it defines and imports.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Fields, ForeignItem, Item, ItemMod, ItemUse, UseTree, Visibility};

use super::cfg::is_only_for_tests;
use super::names::{Definition, Import, Meaning, Module, Modules, Namespace};
use super::sources::Sources;

/// The modules of `lib.rs` and everything below it, then those of `main.rs`.
pub(super) fn modules(sources: &Sources) -> Modules {
    let mut modules = Modules {
        all: Vec::new(),
        library: sources.library().to_owned(),
    };
    for (file, path) in [("lib.rs", ""), ("main.rs", "main")] {
        if sources.contains(file) {
            let place = Place {
                path: path.to_owned(),
                file: file.to_owned(),
                folder: String::new(),
                parent: None,
                whole_file: None,
            };
            add(&mut modules, sources, place, sources.parse(file).items);
        }
    }
    modules
}

/// Where a module stands, before it is read.
struct Place {
    path: String,
    file: String,
    /// Where the files of its children lie: empty, or ending in `/`.
    folder: String,
    parent: Option<usize>,
    /// The module that is the whole file, if that is another one.
    whole_file: Option<usize>,
}

fn add(modules: &mut Modules, sources: &Sources, place: Place, items: Vec<Item>) -> usize {
    let at = modules.all.len();
    let folder = place.folder;
    modules.all.push(Module {
        root: place.parent.map_or(at, |parent| modules.all[parent].root),
        path: place.path,
        file: place.file,
        parent: place.parent,
        whole_file: place.whole_file.unwrap_or(at),
        items: Vec::new(),
        names: BTreeMap::new(),
        imports: Vec::new(),
        generated: BTreeSet::new(),
        passes_macros: false,
    });
    let mut kept = Vec::new();
    for item in items {
        if is_only_for_tests(attributes(&item)) {
            continue;
        }
        if let Item::Mod(child) = item {
            add_child(modules, sources, at, child, &folder);
        } else {
            declare(modules, at, &item);
            kept.push(item);
        }
    }
    modules.all[at].items = kept;
    at
}

fn add_child(
    modules: &mut Modules,
    sources: &Sources,
    parent: usize,
    child: ItemMod,
    folder: &str,
) {
    let name = text(&child.ident);
    let above = &modules.all[parent];
    let path = if above.path.is_empty() {
        name.clone()
    } else {
        format!("{}::{name}", above.path)
    };
    let (place, items) = if let Some((_, items)) = child.content {
        let place = Place {
            path,
            file: above.file.clone(),
            folder: format!("{folder}{name}/"),
            parent: Some(parent),
            whole_file: Some(above.whole_file),
        };
        (place, items)
    } else {
        let file = file_of(sources, folder, &name, &child.attrs, &above.file);
        let items = sources.parse(&file).items;
        let place = Place {
            path,
            folder: format!("{folder}{name}/"),
            file,
            parent: Some(parent),
            whole_file: None,
        };
        (place, items)
    };
    let made = add(modules, sources, place, items);
    modules.all[made].passes_macros = child
        .attrs
        .iter()
        .any(|attribute| attribute.path().is_ident("macro_use"));
    define(
        modules,
        parent,
        &name,
        Namespace::Type,
        Meaning::Module(made),
    );
}

/// The file of `mod name;`: `folder/name.rs`, `folder/name/mod.rs`, or what `#[path]` says.
fn file_of(
    sources: &Sources,
    folder: &str,
    name: &str,
    attributes: &[Attribute],
    above: &str,
) -> String {
    let mut candidates = vec![
        format!("{folder}{name}.rs"),
        format!("{folder}{name}/mod.rs"),
    ];
    for attribute in attributes {
        if let syn::Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("path")
            && let syn::Expr::Lit(literal) = &pair.value
            && let syn::Lit::Str(path) = &literal.lit
        {
            let beside = above.rsplit_once('/').map_or("", |(folder, _)| folder);
            let separator = if beside.is_empty() { "" } else { "/" };
            candidates = vec![format!("{beside}{separator}{}", path.value())];
        }
    }
    let found = candidates.iter().find(|path| sources.contains(path));
    let found =
        found.unwrap_or_else(|| panic!("{above}: no file for `mod {name}`: {candidates:?}"));
    found.clone()
}

fn define(modules: &mut Modules, at: usize, name: &str, space: Namespace, meaning: Meaning) {
    let definition = Definition {
        module: at,
        name: name.to_owned(),
        meaning,
    };
    let key = (name.to_owned(), space);
    let names = &mut modules.all[at].names;
    names.entry(key).or_default().push(definition);
}

fn declare(modules: &mut Modules, at: usize, item: &Item) {
    match item {
        Item::Use(item) => modules.all[at].imports.extend(imports(item)),
        Item::Macro(item) => {
            if let Some(name) = &item.ident {
                define(modules, at, &text(name), Namespace::Macro, Meaning::Item);
            } else {
                generated(&item.mac.tokens, &mut modules.all[at].generated);
            }
        }
        Item::Enum(item) => {
            let variants = item.variants.iter();
            let variants = variants.map(|variant| text(&variant.ident)).collect();
            let name = text(&item.ident);
            define(modules, at, &name, Namespace::Type, Meaning::Enum(variants));
        }
        Item::ForeignMod(block) => {
            for item in &block.items {
                if let ForeignItem::Fn(item) = item {
                    let name = text(&item.sig.ident);
                    define(modules, at, &name, Namespace::Value, Meaning::Item);
                }
            }
        }
        _ => {
            for (name, space) in defined(item) {
                define(modules, at, &text(name), space, Meaning::Item);
            }
        }
    }
}

/// The names that a plain item defines.
pub(super) fn defined(item: &Item) -> Vec<(&Ident, Namespace)> {
    use Namespace::{Type, Value};
    match item {
        Item::Fn(item) => vec![(&item.sig.ident, Value)],
        Item::Const(item) => vec![(&item.ident, Value)],
        Item::Static(item) => vec![(&item.ident, Value)],
        Item::Struct(item) => match item.fields {
            Fields::Named(_) => vec![(&item.ident, Type)],
            Fields::Unnamed(_) | Fields::Unit => vec![(&item.ident, Type), (&item.ident, Value)],
        },
        Item::Enum(item) => vec![(&item.ident, Type)],
        Item::Union(item) => vec![(&item.ident, Type)],
        Item::Trait(item) => vec![(&item.ident, Type)],
        Item::TraitAlias(item) => vec![(&item.ident, Type)],
        Item::Type(item) => vec![(&item.ident, Type)],
        _ => Vec::new(),
    }
}

/// What `choice! { pub enum Exif { .. } }` or `line!(Input3, ..)` seems to define.
fn generated(tokens: &TokenStream, names: &mut BTreeSet<String>) {
    const KEYWORDS: [&str; 7] = ["enum", "struct", "fn", "const", "static", "type", "trait"];
    let mut after_keyword = false;
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(ident) => {
                let name = text(&ident);
                let is_type = name.starts_with(|letter: char| letter.is_ascii_uppercase());
                if after_keyword || is_type {
                    names.insert(name.clone());
                }
                after_keyword = KEYWORDS.contains(&name.as_str());
            }
            _ => after_keyword = false,
        }
    }
}

/// Every name of a `use` declaration.
pub(super) fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    // `use ::image::..` names another crate.
    if item.leading_colon.is_none() {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        spread(&item.tree, &mut Vec::new(), is_public, &mut found);
    }
    found
}

fn spread(tree: &UseTree, path: &mut Vec<String>, is_public: bool, found: &mut Vec<Import>) {
    let mut import = |name: String, last: Option<&Ident>| {
        let mut path = path.clone();
        // `a::{self}` imports the type or module `a`, and no function of that name.
        let only_types = last.is_some_and(|last| last == "self") && !path.is_empty();
        if !only_types {
            path.extend(last.map(text));
        }
        let name = if name == "self" {
            path.last().cloned()
        } else {
            Some(name)
        };
        found.push(Import {
            name: name.unwrap_or_default(),
            path,
            line: tree.span().start().line,
            is_public,
            only_types,
            is_arrow: false,
        });
    };
    match tree {
        UseTree::Name(name) => import(text(&name.ident), Some(&name.ident)),
        UseTree::Rename(rename) => import(text(&rename.rename), Some(&rename.ident)),
        UseTree::Glob(_) => import("*".to_owned(), None),
        UseTree::Path(inner) => {
            path.push(text(&inner.ident));
            spread(&inner.tree, path, is_public, found);
            path.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                spread(tree, path, is_public, found);
            }
        }
    }
}

/// An identifier without `r#`.
pub(super) fn text(ident: &Ident) -> String {
    ident.unraw().to_string()
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
