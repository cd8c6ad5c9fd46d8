//! Walks over the syntax of a module and hands every path to [`Walk`].

use std::collections::BTreeSet;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ExprMethodCall, ExprPath, Field, ImplItem, Item, ItemFn, ItemImpl,
    ItemMacro, ItemUse, Local, Macro, Meta, PatIdent, Path, Stmt, TraitItem, TypePath, Visibility,
};

use super::bound::BoundNames;
use super::cfg::is_only_for_tests;
use super::declare::{attributes, defined, imports, text};
use super::methods::type_of;
use super::names::Namespace;
use super::tokens;
use super::uses::{BlockScope, Walk, path_names};

impl Walk<'_> {
    fn syntax_path(&mut self, path: &Path, spaces: &[Namespace]) {
        if let Some(names) = path_names(path) {
            self.path(&names, path.span().start().line, spaces);
        }
        for segment in &path.segments {
            self.visit_path_arguments(&segment.arguments);
        }
    }

    /// Walks with the names of a function or an item out of scope.
    fn within(&mut self, bound: BTreeSet<String>, walk: impl FnOnce(&mut Self)) {
        self.bound.push(bound);
        walk(self);
        self.bound.pop();
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_only_for_tests(attributes(item)) {
            return;
        }
        let mut parameters = BoundNames::default();
        parameters.visit_item(item);
        self.within(parameters.generics, |walk| visit::visit_item(walk, item));
    }

    fn visit_item_use(&mut self, _: &'ast ItemUse) {}

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let own = type_of(self.modules, self.module, item);
        let outer = std::mem::replace(&mut self.self_type, own);
        visit::visit_item_impl(self, item);
        self.self_type = outer;
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let mut bound = BoundNames::default();
        bound.visit_item_fn(item);
        self.within(bound.variables, |walk| visit::visit_item_fn(walk, item));
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !is_only_for_tests(attributes) {
            let mut bound = BoundNames::default();
            bound.visit_impl_item(item);
            self.within(bound.variables, |walk| visit::visit_impl_item(walk, item));
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let mut bound = BoundNames::default();
        bound.visit_trait_item(item);
        self.within(bound.variables, |walk| visit::visit_trait_item(walk, item));
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let mut scope = BlockScope::default();
        for statement in &block.stmts {
            match statement {
                Stmt::Item(Item::Use(item)) => {
                    for mut import in imports(item) {
                        let brought = self.modules.imported(self.module, &import);
                        import.is_arrow = brought.iter().all(|found| !found.definition.is_module());
                        self.import(&import);
                        scope.imports.push(import);
                    }
                }
                Stmt::Item(item) => {
                    let names = defined(item).into_iter().map(|(name, _)| text(name));
                    scope.items.extend(names);
                }
                _ => {}
            }
        }
        self.blocks.push(scope);
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !is_only_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_only_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if let Some(of) = &path.qself {
            self.visit_type(&of.ty);
        }
        self.syntax_path(&path.path, &[Namespace::Value, Namespace::Type]);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.call(text(&call.method), call.method.span().start().line);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        if let Some(of) = &path.qself {
            self.visit_type(&of.ty);
        }
        self.syntax_path(&path.path, &[Namespace::Type]);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.syntax_path(path, &[Namespace::Type, Namespace::Value]);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        // `LIMIT => ..` may be a constant.
        let name = text(&pattern.ident);
        if name.starts_with(|letter: char| letter.is_ascii_uppercase()) {
            let line = pattern.ident.span().start().line;
            self.path(&[name], line, &[Namespace::Value]);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        if item.ident.is_none() {
            return visit::visit_item_macro(self, item);
        }
        // The body of a macro by example: its other names are looked up where it is called.
        for path in tokens::paths(item.mac.tokens.clone()) {
            if path.names[0] == "crate" && path.names.len() > 1 {
                let spaces = [Namespace::Value, Namespace::Type, Namespace::Macro];
                self.path(&path.names, path.line, &spaces);
            }
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.syntax_path(&call.path, &[Namespace::Macro]);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("allow") {
            return;
        }
        match &attribute.meta {
            Meta::List(list) => {
                let paths = tokens::paths(list.tokens.clone()).into_iter();
                // A single name is a key, as in `#[arg(long)]`.
                for path in paths.filter(|path| path.names.len() > 1) {
                    let spaces = [Namespace::Value, Namespace::Type];
                    self.path(&path.names, path.line, &spaces);
                }
            }
            Meta::NameValue(pair) if !matches!(pair.value, Expr::Lit(_)) => {
                self.visit_expr(&pair.value);
            }
            _ => {}
        }
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
