//! What the code of a module uses: every path of it, followed to the module that defines what it names.

use std::collections::BTreeSet;
use std::fmt;

use proc_macro2::TokenStream;
use syn::visit::Visit;
use syn::{Item, Path};

use super::declare::text;
use super::methods::{Call, Methods, TypeName, follow_calls};
use super::names::{Import, Modules, Namespace};
use super::resolve::{Found, Way};
use super::tokens;

/// One place where a module names another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    /// Relative to `src`.
    pub(crate) file: String,
    pub(crate) line: usize,
    /// What stands there.
    pub(crate) code: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}  {}", self.file, self.line, self.code)
    }
}

/// A use of one file's module by another's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) place: Place,
}

/// What the walk over a crate found.
#[derive(Default)]
pub(super) struct Uses {
    pub(super) arrows: Vec<Arrow>,
    pub(super) calls: Vec<Call>,
    /// Paths that begin with `crate`, `self` or `super` and lead nowhere known.
    pub(super) unresolved: Vec<Place>,
}

pub(super) fn uses(modules: &Modules, methods: &Methods) -> Uses {
    let mut found = Uses::default();
    for (at, module) in modules.all.iter().enumerate() {
        let mut walk = Walk {
            modules,
            methods,
            module: at,
            blocks: Vec::new(),
            bound: Vec::new(),
            self_type: None,
            found: &mut found,
        };
        for import in &module.imports {
            walk.import(import);
        }
        for item in module
            .items
            .iter()
            .filter(|item| !matches!(item, Item::Use(_)))
        {
            walk.visit_item(item);
        }
    }
    follow_calls(methods, &found.calls, &mut found.arrows);
    found.arrows.sort();
    found.arrows.dedup();
    found
}

/// The names of a path; none if it begins with `::`, which is another crate's.
pub(super) fn path_names(path: &Path) -> Option<Vec<String>> {
    let names = path.segments.iter().map(|segment| text(&segment.ident));
    path.leading_colon.is_none().then(|| names.collect())
}

/// Names that a function's body brings into scope.
#[derive(Default)]
pub(super) struct BlockScope {
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
}

/// The walk over one module.
pub(super) struct Walk<'a> {
    pub(super) modules: &'a Modules,
    methods: &'a Methods,
    pub(super) module: usize,
    pub(super) blocks: Vec<BlockScope>,
    /// Generic parameters, arguments and variables, which hide the module's names.
    pub(super) bound: Vec<BTreeSet<String>>,
    /// What `Self` is.
    pub(super) self_type: Option<TypeName>,
    found: &'a mut Uses,
}

impl Walk<'_> {
    /// Reports a `use` declaration, of the module or of a block.
    pub(super) fn import(&mut self, import: &Import) {
        let path = import.path.join("::");
        let path = match import.path.last() {
            _ if import.is_glob() => format!("use {path}::*"),
            Some(last) if *last == import.name => format!("use {path}"),
            _ => format!("use {path} as {}", import.name),
        };
        let found = self.modules.imported(self.module, import);
        if found.is_empty() {
            self.foreign(&import.path, import.line, path);
            return;
        }
        if !import.is_arrow {
            return;
        }
        for found in found {
            self.arrow(found.definition.module, import.line, path.clone());
        }
    }

    /// Reports a path to what this crate does not define: an arrow to the module that passes another
    /// crate's item on.
    fn foreign(&mut self, names: &[String], line: usize, path: String) {
        if let Some(holder) = self.modules.way_out(self.module, names) {
            self.arrow(holder, line, path);
        } else if is_local(names) {
            let place = self.place(line, path);
            self.found.unresolved.push(place);
        }
    }

    fn place(&self, line: usize, code: String) -> Place {
        Place {
            file: self.modules.all[self.module].file.clone(),
            line,
            code,
        }
    }

    fn arrow(&mut self, to: usize, line: usize, code: String) {
        let from = self.modules.file_of(self.module);
        let to = self.modules.file_of(to);
        if from != to {
            let place = self.place(line, code);
            self.found.arrows.push(Arrow { from, to, place });
        }
    }

    /// Notes the call of a method.
    pub(super) fn call(&mut self, method: String, line: usize) {
        if self.methods.blocks_called(&method).next().is_some() {
            let place = self.place(line, format!(".{method}()"));
            let module = self.modules.file_of(self.module);
            self.found.calls.push(Call {
                module,
                method,
                place,
            });
        }
    }

    /// Reports a path of the code.
    pub(super) fn path(&mut self, names: &[String], line: usize, spaces: &[Namespace]) {
        let first = names[0].as_str();
        if first == "Self" {
            if let (Some(own), Some(function)) = (self.self_type.clone(), names.get(1)) {
                self.function(&own, function, line, names);
            }
            return;
        }
        let is_single = names.len() == 1;
        if is_single && matches!(first, "crate" | "self" | "super") {
            return;
        }
        // A variable hides a function, but not the module of the same name.
        let is_variable = first.starts_with(|letter: char| !letter.is_ascii_uppercase());
        if self.bound.iter().any(|bound| bound.contains(first)) && (is_single || !is_variable) {
            return;
        }
        let found = self.lookup(names, spaces);
        if found.is_empty() {
            self.foreign(names, line, names.join("::"));
        }
        for found in found {
            if let Some(function) = names.get(found.followed) {
                let own = TypeName {
                    module: found.definition.module,
                    name: found.definition.name.clone(),
                };
                self.function(&own, function, line, names);
            }
            if !found.definition.is_module() && found.way == Way::Passed {
                self.arrow(found.definition.module, line, names.join("::"));
            }
        }
    }

    /// `Type::function`, where the function may stand in a block away from its type.
    fn function(&mut self, of: &TypeName, function: &str, line: usize, names: &[String]) {
        let block = self.methods.block_of(of, function);
        // Where the type stands too, the type is arrow enough.
        if let Some(block) = block.filter(|block| *block != of.module) {
            self.arrow(block, line, names.join("::"));
        }
    }

    /// What a path leads to, from the innermost block outwards.
    fn lookup(&self, names: &[String], spaces: &[Namespace]) -> Vec<Found> {
        for block in self.blocks.iter().rev() {
            if block.items.contains(&names[0]) {
                return Vec::new();
            }
            let imports = block.imports.iter();
            let mut imports = imports.filter(|import| import.name == names[0]).peekable();
            if imports.peek().is_some() {
                return imports
                    .flat_map(|import| self.through_block_import(import, names, spaces))
                    .collect();
            }
        }
        let found = self.modules.resolve(self.module, names, spaces);
        if !found.is_empty() {
            return found;
        }
        self.through_block_globs(names, spaces)
    }

    fn through_block_import(
        &self,
        import: &Import,
        names: &[String],
        spaces: &[Namespace],
    ) -> Vec<Found> {
        let path: Vec<String> = import.path.iter().chain(&names[1..]).cloned().collect();
        let mut found = self.modules.resolve(self.module, &path, spaces);
        let length = import.path.len();
        for found in &mut found {
            if found.followed <= length && import.is_arrow {
                found.way = Way::ImportedByArrow;
            }
            // The import's path stands for the first name.
            found.followed = (found.followed + 1).saturating_sub(length);
        }
        found
    }

    fn through_block_globs(&self, names: &[String], spaces: &[Namespace]) -> Vec<Found> {
        let imports = self.blocks.iter().flat_map(|block| &block.imports);
        for import in imports.filter(|import| import.is_glob()) {
            let path: Vec<String> = import.path.iter().chain(names).cloned().collect();
            let mut found = self.modules.resolve(self.module, &path, spaces);
            found.retain(|found| found.followed > import.path.len());
            if !found.is_empty() {
                for found in &mut found {
                    found.followed -= import.path.len();
                }
                return found;
            }
        }
        Vec::new()
    }

    pub(super) fn tokens(&mut self, tokens: TokenStream) {
        use Namespace::{Macro, Type, Value};
        for call in tokens::calls(tokens.clone()) {
            self.call(call.method, call.line);
        }
        for path in tokens::paths(tokens) {
            let spaces: &[Namespace] = if path.is_macro {
                &[Macro]
            } else {
                &[Value, Type]
            };
            self.path(&path.names, path.line, spaces);
        }
    }
}

/// Whether a path says by its first name that it stays in the crate.
fn is_local(path: &[String]) -> bool {
    path.len() > 1 && matches!(path[0].as_str(), "crate" | "self" | "super")
}
