//! Follows a path to the module that defines what it names.

use std::collections::BTreeSet;

use super::names::{Definition, Import, Meaning, Modules, Namespace};

/// How a name came into a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// It is defined there, or another crate's.
    Own,
    /// By a `use` that is an arrow itself.
    ImportedByArrow,
    /// By a glob, by a re-export, or through a module that was imported.
    Passed,
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) definition: Definition,
    pub(super) way: Way,
    /// How many of the path's names were followed; the rest are variants or associated items.
    pub(super) followed: usize,
}

type Visited = BTreeSet<(usize, String, Namespace)>;

impl Modules {
    /// What `path` names in `module`, if this crate defines it. The last name is looked up in the
    /// first of `spaces` that knows it.
    pub(super) fn resolve(
        &self,
        module: usize,
        path: &[String],
        spaces: &[Namespace],
    ) -> Vec<Found> {
        for space in spaces {
            let found = self.resolve_in(module, path, *space, &mut Visited::new());
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// All that an import brings, in every namespace.
    pub(super) fn imported(&self, module: usize, import: &Import) -> Vec<Found> {
        let mut found = Vec::new();
        for space in import.namespaces() {
            found.extend(self.resolve_in(module, &import.path, *space, &mut Visited::new()));
        }
        found
    }

    /// The module through which a path leaves the crate: the one that imports another crate's item,
    /// by its name or by a glob, which may lie behind the imports of others.
    pub(super) fn way_out(&self, module: usize, path: &[String]) -> Option<usize> {
        let mut visited = BTreeSet::new();
        self.way_out_unvisited(module, path, &mut visited)
    }

    fn way_out_unvisited(
        &self,
        module: usize,
        path: &[String],
        visited: &mut BTreeSet<(usize, Vec<String>)>,
    ) -> Option<usize> {
        if !visited.insert((module, path.to_vec())) {
            return None;
        }
        (1..path.len()).rev().find_map(|length| {
            let holders = self.resolve(module, &path[..length], &[Namespace::Type]);
            holders.into_iter().find_map(|found| {
                let Meaning::Module(holder) = found.definition.meaning else {
                    return None;
                };
                let imports = self.all[holder].imports.iter();
                let mut passing = imports.filter(|import| {
                    let is_meant = import.is_glob() || import.name == path[length];
                    is_meant && self.imported(holder, import).is_empty()
                });
                let import = passing.next()?;
                let further = self.way_out_unvisited(holder, &import.path, visited);
                Some(further.unwrap_or(holder))
            })
        })
    }

    /// Marks the imports that are arrows themselves: those that bring items, and no module beside
    /// them. A parent's re-export of what is below it is none: it is followed instead.
    pub(super) fn mark_imports(&mut self) {
        let mut marks = Vec::new();
        for (module, found) in self.all.iter().enumerate() {
            for (at, import) in found.imports.iter().enumerate() {
                let brought = self.imported(module, import);
                let items = !brought.is_empty()
                    && brought.iter().all(|found| !found.definition.is_module());
                let passes_on = import.is_public
                    && brought
                        .iter()
                        .all(|found| self.is_ancestor(module, found.definition.module));
                let own = brought
                    .iter()
                    .all(|found| found.definition.module == module);
                if items && !passes_on && !own {
                    marks.push((module, at));
                }
            }
        }
        for (module, at) in marks {
            self.all[module].imports[at].is_arrow = true;
        }
    }

    fn resolve_in(
        &self,
        module: usize,
        path: &[String],
        space: Namespace,
        visited: &mut Visited,
    ) -> Vec<Found> {
        let Some(first) = path.first() else {
            return Vec::new();
        };
        let start = match first.as_str() {
            "crate" => vec![self.all[module].root],
            "self" => vec![module],
            "super" => self.all[module].parent.into_iter().collect(),
            _ => {
                let first_space = if path.len() == 1 {
                    space
                } else {
                    Namespace::Type
                };
                let known = self.lookup(module, first, first_space, visited);
                if known.is_empty() && *first == self.library && path.len() > 1 {
                    return self.walk(0, Way::Passed, path, 1, space, visited);
                }
                let followed =
                    known
                        .into_iter()
                        .flat_map(|(definition, way)| match definition.meaning {
                            Meaning::Module(inner) if path.len() > 1 => {
                                self.walk(inner, Way::Passed, path, 1, space, visited)
                            }
                            _ => vec![Found {
                                definition,
                                way,
                                followed: 1,
                            }],
                        });
                return followed.collect();
            }
        };
        let walked = start.into_iter();
        walked
            .flat_map(|start| self.walk(start, Way::Passed, path, 1, space, visited))
            .collect()
    }

    /// Goes on from a module with the names from `at` on.
    fn walk(
        &self,
        module: usize,
        way: Way,
        path: &[String],
        at: usize,
        space: Namespace,
        visited: &mut Visited,
    ) -> Vec<Found> {
        let Some(name) = path.get(at) else {
            return vec![Found {
                definition: self.itself(module),
                way,
                followed: at,
            }];
        };
        if name == "super" {
            let parent = self.all[module].parent.into_iter();
            return parent
                .flat_map(|parent| self.walk(parent, way, path, at + 1, space, visited))
                .collect();
        }
        let is_last = at + 1 == path.len();
        let name_space = if is_last { space } else { Namespace::Type };
        let known = self.lookup(module, name, name_space, visited);
        let followed = known
            .into_iter()
            .flat_map(|(definition, _)| match definition.meaning {
                Meaning::Module(inner) if !is_last => {
                    self.walk(inner, way, path, at + 1, space, visited)
                }
                _ => vec![Found {
                    definition,
                    way,
                    followed: at + 1,
                }],
            });
        followed.collect()
    }

    fn itself(&self, module: usize) -> Definition {
        let path = &self.all[module].path;
        Definition {
            module: self.all[module].parent.unwrap_or(module),
            name: path.rsplit("::").next().unwrap_or_default().to_owned(),
            meaning: Meaning::Module(module),
        }
    }

    /// What a single name means in a module, and how it came there.
    fn lookup(
        &self,
        module: usize,
        name: &str,
        space: Namespace,
        visited: &mut Visited,
    ) -> Vec<(Definition, Way)> {
        let key = (module, name.to_owned(), space);
        if !visited.insert(key.clone()) {
            return Vec::new();
        }
        let found = self.lookup_unvisited(module, name, space, visited);
        visited.remove(&key);
        found
    }

    fn lookup_unvisited(
        &self,
        module: usize,
        name: &str,
        space: Namespace,
        visited: &mut Visited,
    ) -> Vec<(Definition, Way)> {
        let here = &self.all[module];
        if let Some(own) = here.names.get(&(name.to_owned(), space)) {
            return own.iter().map(|own| (own.clone(), Way::Own)).collect();
        }
        // Two imports of one name stand behind two `cfg`s: both count.
        let mut imported = Vec::new();
        for import in here.imports.iter().filter(|import| import.name == name) {
            if import.namespaces().contains(&space) {
                let way = if import.is_arrow {
                    Way::ImportedByArrow
                } else {
                    Way::Passed
                };
                let found = self.resolve_in(module, &import.path, space, visited);
                imported.extend(found.into_iter().map(|found| (found.definition, way)));
            }
        }
        if !imported.is_empty() {
            return imported;
        }
        for import in here.imports.iter().filter(|import| import.is_glob()) {
            let found = self.through_glob(module, &import.path, name, space, visited);
            if !found.is_empty() {
                return found
                    .into_iter()
                    .map(|found| (found, Way::Passed))
                    .collect();
            }
        }
        if here.generated.contains(name) {
            let own = Definition {
                module,
                name: name.to_owned(),
                meaning: Meaning::Item,
            };
            return vec![(own, Way::Own)];
        }
        if space == Namespace::Macro {
            return self.textual_macro(module, name);
        }
        Vec::new()
    }

    /// What `name` is where `use path::*` stands.
    pub(super) fn through_glob(
        &self,
        module: usize,
        path: &[String],
        name: &str,
        space: Namespace,
        visited: &mut Visited,
    ) -> Vec<Definition> {
        let mut found = Vec::new();
        for source in self.resolve_in(module, path, Namespace::Type, visited) {
            match source.definition.meaning {
                Meaning::Module(inner) => {
                    let known = self.lookup(inner, name, space, visited);
                    let visible = known.into_iter().filter(|_| {
                        inner == module
                            || self.is_ancestor(inner, module)
                            || self.passes_on(inner, name)
                    });
                    found.extend(visible.map(|(definition, _)| definition));
                }
                Meaning::Enum(ref variants) if variants.contains(name) => {
                    found.push(source.definition.clone());
                }
                _ => {}
            }
        }
        found
    }

    /// Whether modules elsewhere see this name of a module: a private import stays inside.
    fn passes_on(&self, module: usize, name: &str) -> bool {
        let imports = self.all[module].imports.iter();
        let mut private = imports.filter(|import| import.name == name && !import.is_public);
        private.next().is_none()
    }

    /// A macro by example that no path names: from a module above, or from one that `#[macro_use]`
    /// passes on.
    fn textual_macro(&self, module: usize, name: &str) -> Vec<(Definition, Way)> {
        let key = (name.to_owned(), Namespace::Macro);
        let all = self.all.iter().enumerate();
        let reaching = all.filter(|(at, found)| {
            found.names.contains_key(&key) && (found.passes_macros || self.is_ancestor(*at, module))
        });
        let found = reaching.flat_map(|(_, found)| &found.names[&key]);
        found.map(|found| (found.clone(), Way::Passed)).collect()
    }
}
