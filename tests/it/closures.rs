//! A closure has a name only where it is used more than once: elsewhere its code stands where it runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    Block, Expr, Macro, Pat, Stmt,
    visit::{self, Visit},
};

#[test]
fn closures_with_names_are_used_more_than_once() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut named_for_one_use = Vec::new();
    for crate_ in ["algorithms", "cli", "common", "coordinator", "proto", "tests", "worker"] {
        for file in sources(&root.join(crate_))? {
            let text = fs::read_to_string(&file)?;
            let parsed = syn::parse_file(&text).with_context(|| file.display().to_string())?;
            for name in named_closures_used_once(&parsed) {
                let place = file.strip_prefix(&root)?.display();
                named_for_one_use.push(format!("{place}: `{name}`"));
            }
        }
    }
    assert!(
        named_for_one_use.is_empty(),
        "{} closures are named and used once; write them where they are used:\n{}",
        named_for_one_use.len(),
        named_for_one_use.join("\n")
    );
    Ok(())
}

#[test]
fn uses_are_counted_in_what_follows_the_name() -> anyhow::Result<()> {
    let source = "fn f() {
        let once = |x: u32| x + 1;
        let twice = |x: u32| x + 1;
        let in_a_macro = |x: u32| x + 1;
        let nowhere = || 1;
        let value = once(twice(1));
        println!(\"{} {}\", in_a_macro(value), twice(in_a_macro(2)));
        {
            let inside: fn(u32) -> u32 = |x| x;
            inside(1);
        }
    }";
    let mut found = Vec::new();
    for name in named_closures_used_once(&syn::parse_file(source)?) {
        found.push(name.to_string());
    }
    assert_eq!(found, ["once", "nowhere", "inside"]);
    Ok(())
}

/// The Rust files in a folder and all folders below it, by name.
fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn named_closures_used_once(file: &syn::File) -> Vec<Ident> {
    let mut blocks = Blocks::default();
    blocks.visit_file(file);
    blocks.used_once
}

/// Names of closures that the rest of their block uses at most once.
#[derive(Default)]
struct Blocks {
    used_once: Vec<Ident>,
}

impl Visit<'_> for Blocks {
    fn visit_block(&mut self, block: &Block) {
        for (at, statement) in block.stmts.iter().enumerate() {
            let Some(name) = named_closure(statement) else { continue };
            let mut uses = Uses { name, count: 0 };
            for following in &block.stmts[at + 1..] {
                uses.visit_stmt(following);
            }
            if uses.count < 2 {
                self.used_once.push(name.clone());
            }
        }
        visit::visit_block(self, block);
    }
}

/// The name that a statement gives to a closure.
fn named_closure(statement: &Stmt) -> Option<&Ident> {
    let Stmt::Local(local) = statement else { return None };
    let Expr::Closure(_) = local.init.as_ref()?.expr.as_ref() else { return None };
    match &local.pat {
        Pat::Ident(named) => Some(&named.ident),
        Pat::Type(typed) => match typed.pat.as_ref() {
            Pat::Ident(named) => Some(&named.ident),
            _ => None,
        },
        _ => None,
    }
}

/// Occurrences of a name in code, those in arguments of macros included. Fields and variables of
/// the same name count as uses: what is refused is sure to be used once.
struct Uses<'name> {
    name: &'name Ident,
    count: usize,
}

impl Uses<'_> {
    fn count_in(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.visit_ident(&ident),
                TokenTree::Group(group) => self.count_in(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => (),
            }
        }
    }
}

impl Visit<'_> for Uses<'_> {
    fn visit_ident(&mut self, ident: &Ident) {
        self.count += usize::from(ident == self.name);
    }

    fn visit_macro(&mut self, code: &Macro) {
        self.count_in(code.tokens.clone());
    }
}
