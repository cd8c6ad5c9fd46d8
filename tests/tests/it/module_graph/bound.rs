//! Names that hide those of a module.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{ConstParam, PatIdent, TypeParam};

use super::declare::text;

/// The names that an item binds: its generic parameters, and the variables of its functions.
#[derive(Default)]
pub(super) struct BoundNames {
    pub(super) generics: BTreeSet<String>,
    pub(super) variables: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for BoundNames {
    fn visit_type_param(&mut self, parameter: &'ast TypeParam) {
        self.generics.insert(text(&parameter.ident));
    }

    fn visit_const_param(&mut self, parameter: &'ast ConstParam) {
        self.generics.insert(text(&parameter.ident));
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = text(&pattern.ident);
        if name.starts_with(|letter: char| !letter.is_ascii_uppercase()) {
            self.variables.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}
