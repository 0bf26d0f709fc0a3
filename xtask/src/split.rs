//! Cuts a program into what a first visit needs and what is loaded later: the simple renderer, where it is used, and the rest, once the
//! player plays.
//!
//! Functions are sorted by name: those of a [`Part`], and what only they call, go into a wasm of their own that shares memory, tables and
//! globals with the first. Where the first calls one of them, it calls through a slot of the table instead. Until the part has been loaded,
//! the slot holds a stub, which lets `window.broadside.rest` (`assets/boot.js`) load it at once, and calls again.
//!
//! No code has to know: a function of a part is called like any other, and the first such call takes longer if it comes early.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use walrus::ir::{CallIndirect, Const, Instr, InstrSeqId, Value, Visitor, dfs_in_order};
use walrus::{
    ConstExpr, ElementItems, ElementKind, ExportItem, FunctionBuilder, FunctionId, FunctionKind, GlobalId, GlobalKind,
    ImportKind, ImportedFunction, LocalFunction, Module, RefType, TableId,
};

/// A part of a program that is loaded later.
struct Part {
    name: &'static str,
    /// What the stubs call the import that loads it with.
    number: i32,
    is_late: fn(&str) -> bool,
}

const PARTS: [Part; 2] = [
    Part { name: "flat", number: 2, is_late: |name| name.contains("::flat::") },
    Part { name: "rest", number: 1, is_late: |name| LATE.lines().any(|begin| name.starts_with(begin)) },
];

/// What is not needed before the first shot: what names of functions begin with, one a line. It was recorded: of first visits to the open
/// arena, with each renderer, by keys and by touch, without a server and with one that comes back, this is what never ran.
const LATE: &str = include_str!("late.txt");

/// The import that loads the rest, as a part of its name.
const LOAD: &str = "__wbg_rest_";
/// The module that the rest imports from: the exports of the first.
const FIRST: &str = "a";

/// Cuts a program that wasm-bindgen has finished, whose functions still have their names. Gives the parts, each with its name; the first
/// is left in place.
pub(crate) fn split(module: &mut Module) -> Result<Vec<(&'static str, Module)>> {
    let mut parts = Vec::new();
    for part in &PARTS {
        parts.push((part.name, cut_off(module, part)?));
    }
    strip(module);
    Ok(parts)
}

fn cut_off(module: &mut Module, part: &Part) -> Result<Module> {
    // Read twice from the same bytes, so that both number functions the same way.
    let bytes = module.emit_wasm();
    let (mut first, mut late) = (Module::from_buffer(&bytes)?, Module::from_buffer(&bytes)?);
    Cut::of(&first, part)?.keep_first(&mut first)?;
    Cut::of(&late, part)?.keep_late(&mut late)?;
    [&mut first, &mut late].into_iter().for_each(walrus::passes::gc::run);
    strip(&mut late);
    *module = first;
    Ok(late)
}

/// Names are worth nothing to a player, and a tenth of the download.
fn strip(module: &mut Module) {
    module.name = None;
    module.funcs.iter_mut().for_each(|function| function.name = None);
}

/// Gives imports and exports whose names say a hash short ones, and says which: a script calls them by these names too. Nothing compresses
/// worse than hashes.
pub(crate) fn shorten(module: &mut Module) -> Vec<(String, String)> {
    let mut names: Vec<String> = module
        .imports
        .iter()
        .map(|import| &import.name)
        .chain(module.exports.iter().map(|export| &export.name))
        .filter(|name| has_hash(name))
        .cloned()
        .collect();
    // A name may begin with another.
    names.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
    names.dedup();
    let short: BTreeMap<String, String> = names.iter().cloned().zip((0..).map(|number| format!("${number}"))).collect();
    let all = module.imports.iter_mut().map(|import| &mut import.name);
    for name in all.chain(module.exports.iter_mut().map(|export| &mut export.name)) {
        if let Some(short) = short.get(name) {
            name.clone_from(short);
        }
    }
    names.into_iter().map(|name| (name.clone(), short[&name].clone())).collect()
}

/// Whether 16 hexadecimal digits are in a name.
fn has_hash(name: &str) -> bool {
    name.as_bytes().windows(16).any(|part| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// Where a program is cut.
struct Cut<'a> {
    part: &'a Part,
    /// The functions of the part.
    late: BTreeSet<FunctionId>,
    /// Those of them that the first calls or exports, or that are in the table, each with a slot of it.
    slots: BTreeMap<FunctionId, u64>,
    /// What the part puts into the table.
    filled: Vec<(u64, FunctionId)>,
    /// Functions of the first, its imports among them, that the part calls; and globals that it uses.
    shared: BTreeSet<FunctionId>,
    globals: BTreeSet<GlobalId>,
    table: TableId,
    /// How many slots the table has now.
    length: u64,
}

impl<'a> Cut<'a> {
    fn of(module: &Module, part: &'a Part) -> Result<Cut<'a>> {
        let table = module.tables.main_function_table()?.context("the program has no table of functions")?;
        let used: BTreeMap<FunctionId, Uses> =
            module.funcs.iter_local().map(|(id, function)| (id, Uses::of(function))).collect();
        let exported: BTreeSet<FunctionId> = module
            .exports
            .iter()
            .filter_map(|export| match export.item {
                ExportItem::Function(function) => Some(function),
                ExportItem::Table(_) | ExportItem::Memory(_) | ExportItem::Global(_) | ExportItem::Tag(_) => None,
            })
            .collect();
        let named =
            |id: &FunctionId| module.funcs.get(*id).name.as_deref().is_some_and(|name| (part.is_late)(&plain(name)));
        let seeds: BTreeSet<FunctionId> = used.keys().copied().filter(named).collect();
        let in_table = slots_of(module, table)?;
        let mut early: BTreeSet<FunctionId> = BTreeSet::new();
        let roots = exported.iter().chain(in_table.iter().map(|(_, id)| id)).chain(module.start.iter());
        let mut open: Vec<FunctionId> = roots.copied().filter(|id| !seeds.contains(id)).collect();
        while let Some(id) = open.pop() {
            if early.insert(id) {
                let calls = used.get(&id).into_iter().flat_map(|uses| &uses.calls);
                open.extend(calls.filter(|callee| !seeds.contains(callee)));
            }
        }
        let late: BTreeSet<FunctionId> = used.keys().copied().filter(|id| !early.contains(id)).collect();
        let mut length = module.tables.get(table).initial;
        let mut filled: Vec<_> = in_table.into_iter().filter(|(_, id)| late.contains(id)).collect();
        let mut slots: BTreeMap<FunctionId, u64> = filled.iter().map(|(slot, id)| (*id, *slot)).collect();
        let called = early.iter().filter_map(|id| used.get(id)).flat_map(|uses| &uses.calls);
        for callee in called.chain(&exported) {
            if late.contains(callee) && !slots.contains_key(callee) {
                slots.insert(*callee, length);
                filled.push((length, *callee));
                length += 1;
            }
        }
        let of_late = || late.iter().filter_map(|id| used.get(id));
        let shared = of_late().flat_map(|uses| &uses.calls).copied().filter(|id| !late.contains(id)).collect();
        let globals = of_late().flat_map(|uses| &uses.globals).copied().collect();
        filled.sort_unstable();
        Ok(Cut { part, late, slots, filled, shared, globals, table, length })
    }

    /// Takes the part out of a program.
    fn keep_first(&self, module: &mut Module) -> Result<()> {
        let load = module.imports.iter().find(|import| import.name.contains(LOAD));
        let load = load.context("the program has no import that loads its parts")?;
        let ImportKind::Function(load) = load.kind else { anyhow::bail!("{} is no function", load.name) };
        let stubs: BTreeMap<FunctionId, FunctionId> =
            self.slots.iter().map(|(id, slot)| (*id, self.stub(module, (*id, *slot), load))).collect();
        let types: BTreeMap<FunctionId, _> = self.slots.keys().map(|id| (*id, module.funcs.get(*id).ty())).collect();
        for (_, function) in module.funcs.iter_local_mut() {
            for sequence in sequences(function) {
                let before = std::mem::take(&mut function.block_mut(sequence).instrs);
                for (instruction, at) in before {
                    let to = match &instruction {
                        Instr::Call(call) => self.slots.get(&call.func).map(|slot| (*slot, types[&call.func])),
                        _ => None,
                    };
                    let after = &mut function.block_mut(sequence).instrs;
                    match to {
                        Some((slot, ty)) => {
                            after.push((Const { value: Value::I32(slot as i32) }.into(), at));
                            after.push((CallIndirect { ty, table: self.table }.into(), at));
                        }
                        None => after.push((instruction, at)),
                    }
                }
            }
        }
        for element in module.elements.iter_mut() {
            if let ElementItems::Functions(functions) = &mut element.items {
                functions.iter_mut().for_each(|id| *id = stubs.get(id).copied().unwrap_or(*id));
            }
        }
        for export in module.exports.iter_mut() {
            if let ExportItem::Function(id) = &mut export.item {
                *id = stubs.get(id).copied().unwrap_or(*id);
            }
        }
        let old = module.tables.get(self.table).initial;
        let added = self.filled.iter().filter(|(slot, _)| *slot >= old);
        let added: Vec<(u64, FunctionId)> = added.map(|(slot, id)| (*slot, stubs[id])).collect();
        fill(module, self.table, &added);
        self.late.iter().for_each(|id| module.funcs.delete(*id));
        let table = module.tables.get_mut(self.table);
        table.initial = self.length;
        table.maximum = table.maximum.map(|most| most.max(self.length));
        for id in &self.shared {
            module.exports.add(&self.name("f", id.index()), *id);
        }
        for id in &self.globals {
            module.exports.add(&self.name("g", id.index()), *id);
        }
        let tables: Vec<TableId> = module.tables.iter().map(walrus::Table::id).collect();
        for id in tables {
            module.exports.add(&self.name("t", id.index()), id);
        }
        let memory = module.get_memory_id()?;
        module.exports.add(&self.name("m", 0), memory);
        Ok(())
    }

    /// A short name of an item: the first exports it, and the part imports it.
    fn name(&self, kind: &str, index: usize) -> String {
        format!("{kind}{index}{}", &self.part.name[..1])
    }

    /// A function of the first that stands for one of the part: it lets it be loaded, and calls what is in the slot then.
    fn stub(&self, module: &mut Module, (id, slot): (FunctionId, u64), load: FunctionId) -> FunctionId {
        let ty = module.funcs.get(id).ty();
        let (params, results) = (module.types.get(ty).params().to_vec(), module.types.get(ty).results().to_vec());
        let arguments: Vec<_> = params.iter().map(|ty| module.locals.add(*ty)).collect();
        let mut stub = FunctionBuilder::new(&mut module.types, &params, &results);
        let mut body = stub.func_body();
        body.i32_const(self.part.number).call(load);
        arguments.iter().for_each(|argument| {
            body.local_get(*argument);
        });
        body.i32_const(slot as i32).call_indirect(ty, self.table);
        stub.finish(arguments, &mut module.funcs)
    }

    /// Takes everything but the part out of a program.
    fn keep_late(&self, module: &mut Module) -> Result<()> {
        let exports: Vec<_> = module.exports.iter().map(walrus::Export::id).collect();
        exports.into_iter().for_each(|id| module.exports.delete(id));
        let data: Vec<_> = module.data.iter().map(walrus::Data::id).collect();
        data.into_iter().for_each(|id| module.data.delete(id));
        let elements: Vec<_> = module.elements.iter().map(walrus::Element::id).collect();
        elements.into_iter().for_each(|id| module.elements.delete(id));
        module.start = None;
        let imports: Vec<_> = module.imports.iter().map(walrus::Import::id).collect();
        imports.into_iter().for_each(|id| module.imports.delete(id));
        let others: Vec<FunctionId> =
            module.funcs.iter().map(walrus::Function::id).filter(|id| !self.late.contains(id)).collect();
        for id in others {
            let import = module.imports.add(FIRST, &self.name("f", id.index()), id);
            let function = module.funcs.get_mut(id);
            function.kind = FunctionKind::Import(ImportedFunction { import, ty: function.ty() });
        }
        let globals: Vec<GlobalId> = module.globals.iter().map(walrus::Global::id).collect();
        for id in globals {
            let import = module.imports.add(FIRST, &self.name("g", id.index()), id);
            module.globals.get_mut(id).kind = GlobalKind::Import(import);
        }
        let tables: Vec<TableId> = module.tables.iter().map(walrus::Table::id).collect();
        for id in tables {
            let import = module.imports.add(FIRST, &self.name("t", id.index()), id);
            let table = module.tables.get_mut(id);
            (table.import, table.maximum) = (Some(import), None);
            table.elem_segments.clear();
        }
        let memory = module.get_memory_id()?;
        let import = module.imports.add(FIRST, &self.name("m", 0), memory);
        let memory = module.memories.get_mut(memory);
        memory.import = Some(import);
        memory.data_segments.clear();
        fill(module, self.table, &self.filled);
        let sections: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
        sections.into_iter().for_each(|id| {
            module.customs.delete(id);
        });
        Ok(())
    }
}

/// Puts functions into slots of a table: one segment for each run of neighbors.
fn fill(module: &mut Module, table: TableId, slots: &[(u64, FunctionId)]) {
    for run in slots.chunk_by(|one, next| one.0 + 1 == next.0) {
        let offset = ConstExpr::Value(Value::I32(run[0].0 as i32));
        let functions = run.iter().map(|(_, id)| *id).collect();
        let segment = module.elements.add(ElementKind::Active { table, offset }, ElementItems::Functions(functions));
        module.tables.get_mut(table).elem_segments.insert(segment);
    }
}

/// What is in a table.
fn slots_of(module: &Module, table: TableId) -> Result<Vec<(u64, FunctionId)>> {
    let mut slots = Vec::new();
    for element in module.elements.iter() {
        let ElementKind::Active { table: into, offset: ConstExpr::Value(Value::I32(offset)) } = &element.kind else {
            continue;
        };
        if *into != table {
            continue;
        }
        let ElementItems::Functions(functions) = &element.items else {
            ensure!(
                !matches!(&element.items, ElementItems::Expressions(RefType::FUNCREF, _)),
                "a table of expressions"
            );
            continue;
        };
        for (at, id) in functions.iter().enumerate() {
            slots.push((*offset as u64 + at as u64, *id));
        }
    }
    Ok(slots)
}

/// What a function refers to.
#[derive(Default)]
struct Uses {
    calls: Vec<FunctionId>,
    globals: Vec<GlobalId>,
}

impl Uses {
    fn of(function: &LocalFunction) -> Uses {
        let mut uses = Uses::default();
        dfs_in_order(&mut uses, function, function.entry_block());
        uses
    }
}

impl<'a> Visitor<'a> for Uses {
    fn visit_function_id(&mut self, function: &FunctionId) {
        self.calls.push(*function);
    }

    fn visit_global_id(&mut self, global: &GlobalId) {
        self.globals.push(*global);
    }
}

/// All blocks of a function.
fn sequences(function: &LocalFunction) -> Vec<InstrSeqId> {
    struct Blocks(Vec<InstrSeqId>);
    impl<'a> Visitor<'a> for Blocks {
        fn start_instr_seq(&mut self, sequence: &'a walrus::ir::InstrSeq) {
            self.0.push(sequence.id());
        }
    }
    let mut blocks = Blocks(Vec::new());
    dfs_in_order(&mut blocks, function, function.entry_block());
    blocks.0
}

/// A name of a function without what differs from build to build: the hashes of crates, and the numbers of what was made twice.
pub(crate) fn plain(name: &str) -> String {
    let mut parts = name.split('[');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((number, rest)) if has_hash(number) || number.bytes().all(|byte| byte.is_ascii_digit()) => {
                plain += rest;
            }
            _ => {
                plain.push('[');
                plain += part;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_every_build() {
        assert_eq!(plain("<core[c5930c85a12de822]::fmt::Formatter>::pad[2]"), "<core::fmt::Formatter>::pad");
        assert_eq!(plain("<[(u16, u8)]>::sort::<[u8; 4]>"), "<[(u16, u8)]>::sort::<[u8; 4]>");
        assert!(has_hash("__wbg_rest_198f06d5269a4f53") && !has_hash("__wbindgen_externref_table"));
    }

    #[test]
    fn late_functions_are_in_a_part_and_are_called_through_the_table() {
        let mut module = Module::default();
        let table = module.tables.add_local(false, 1, Some(1), RefType::FUNCREF);
        module.memories.add_local(false, false, 1, None, None);
        let ty = module.types.add(&[walrus::ValType::I32], &[]);
        let (load, _) = module.add_import_func("./game_bg.js", "__wbg_rest_198f06d5269a4f53", ty);
        let mut make = |name: &str, calls: FunctionId| {
            let mut function = FunctionBuilder::new(&mut module.types, &[], &[]);
            function.name(name.to_owned()).func_body().i32_const(0).call(calls);
            function.finish(Vec::new(), &mut module.funcs)
        };
        let inner = make("late::inner", load);
        let mut call = |name: &str, calls: FunctionId| {
            let mut function = FunctionBuilder::new(&mut module.types, &[], &[]);
            function.name(name.to_owned()).func_body().call(calls);
            function.finish(Vec::new(), &mut module.funcs)
        };
        let outer = call("late::outer", inner);
        let start = call("early::start", outer);
        module.exports.add("start", start);
        module.exports.add("table", table);
        let part = Part { name: "rest", number: 1, is_late: |name| name == "late::outer" };
        let mut late = cut_off(&mut module, &part).expect("it can be cut");
        // The start and a stub stay; what only the part calls goes with it.
        assert_eq!((module.funcs.iter_local().count(), late.funcs.iter_local().count()), (2, 2));
        assert_eq!(module.tables.iter().map(|table| table.initial).collect::<Vec<_>>(), [2]);
        for cut in [&mut module, &mut late] {
            Module::from_buffer(&cut.emit_wasm()).expect("a valid module");
        }
    }
}
