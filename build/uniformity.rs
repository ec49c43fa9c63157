//! Finds barriers in control flow that is not uniform, which naga does not: on a GPU they hang or go wrong, on a software
//! adapter they often work by chance.
//!
//! The rules are those of WGSL's uniformity analysis, and never laxer: a condition, a loop's exit or an earlier return makes
//! control flow diverge where it depends on anything but constants, the workgroup's number, uniform buffers, read-only
//! storage at uniform indices, `workgroupUniformLoad`, and variables of a function that hold such values alone. A variable
//! counts as a whole and for the whole function; one whose address is passed on never counts as uniform. Functions are
//! followed from every call with the arguments that it gives.
//!
//! Operations of subgroups may also depend on what is the same within a subgroup: its number, and its broadcasts.

use std::collections::HashMap;

use naga::{
    AddressSpace, Arena, Barrier, Binding, Block, BuiltIn, CollectiveOperation, Expression, Function, GatherMode, Handle, LocalVariable,
    Module, Span, Statement, StorageAccess, TypeInner,
};

/// Among which invocations a value or the control flow differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Among {
    /// Those of a workgroup, but not those of a subgroup.
    Subgroups,
    /// Any.
    Invocations,
}

/// A difference and the expression that it comes from.
#[derive(Debug, Clone, Copy)]
struct Differs {
    among: Among,
    span: Span,
}

/// `None` where all invocations of a workgroup agree.
type Difference = Option<Differs>;

fn wider(a: Difference, b: Difference) -> Difference {
    match (a, b) {
        (Some(first), Some(second)) => Some(if second.among > first.among { second } else { first }),
        (one, other) => one.or(other),
    }
}

fn among(difference: Difference) -> Option<Among> {
    difference.map(|differs| differs.among)
}

/// An operation that not all invocations may reach, and why.
struct Violation {
    operation: &'static str,
    span: Span,
    cause: Span,
}

/// Checks every entry point of a module; `source` is the WGSL that it was read from.
///
/// # Errors
/// The first barrier, `workgroupUniformLoad`, or operation of a subgroup that control flow reaches for a part of the
/// invocations, with its line and that of the cause.
pub fn check(module: &Module, source: &str) -> Result<(), String> {
    let mut calls = Calls { module, results: HashMap::new() };
    for entry in &module.entry_points {
        let arguments: Vec<Difference> = entry.function.arguments.iter().map(|argument| of_input(argument.binding.as_ref())).collect();
        if let Err(Violation { operation, span, cause }) = Walk::run(&mut calls, &entry.function, &arguments, None) {
            let line = |span: Span| span.location(source).line_number;
            let text = source.lines().nth(line(cause) as usize - 1).unwrap_or_default().trim();
            return Err(format!(
                "entry point {}: {operation} in line {} is not reached by all invocations alike: line {} differs between them ('{text}')",
                entry.name,
                line(span),
                line(cause)
            ));
        }
    }
    Ok(())
}

/// How an argument of an entry point differs.
fn of_input(binding: Option<&Binding>) -> Difference {
    let among = match binding {
        Some(Binding::BuiltIn(BuiltIn::WorkGroupId | BuiltIn::NumWorkGroups | BuiltIn::WorkGroupSize | BuiltIn::NumSubgroups)) => {
            return None;
        }
        Some(Binding::BuiltIn(BuiltIn::SubgroupSize | BuiltIn::SubgroupId)) => Among::Subgroups,
        _ => Among::Invocations,
    };
    Some(Differs { among, span: Span::default() })
}

/// What is known of a function under given arguments, so that it is walked once for each.
type Call = (Handle<Function>, Vec<Option<Among>>, Option<Among>);

struct Calls<'a> {
    module: &'a Module,
    results: HashMap<Call, Difference>,
}

impl Calls<'_> {
    fn call(&mut self, function: Handle<Function>, arguments: &[Difference], flow: Difference) -> Result<Difference, Violation> {
        let key = (function, arguments.iter().map(|&argument| among(argument)).collect(), among(flow));
        if let Some(&known) = self.results.get(&key) {
            return Ok(known);
        }
        let module = self.module;
        let result = Walk::run(self, &module.functions[function], arguments, flow)?;
        self.results.insert(key, result);
        Ok(result)
    }
}

/// Why invocations leave a block at different places.
#[derive(Default)]
struct Exits {
    breaks: Difference,
    continues: Difference,
    returns: Difference,
}

impl Exits {
    fn merge(&mut self, other: Self) {
        self.breaks = wider(self.breaks, other.breaks);
        self.continues = wider(self.continues, other.continues);
        self.returns = wider(self.returns, other.returns);
    }

    fn any(&self) -> Difference {
        wider(wider(self.breaks, self.continues), self.returns)
    }
}

/// One function under given arguments. What is known only ever becomes less uniform, so a violation seen on the way is one.
struct Walk<'a, 'b, 'c> {
    calls: &'a mut Calls<'b>,
    function: &'c Function,
    arguments: &'c [Difference],
    /// Local variables, and results of statements, that differ.
    locals: HashMap<Handle<LocalVariable>, Differs>,
    results: HashMap<Handle<Expression>, Difference>,
    /// Every expression, by the variables as they were known when the pass began.
    values: Vec<Difference>,
    returned: Difference,
}

impl<'a, 'b, 'c> Walk<'a, 'b, 'c> {
    fn run(
        calls: &'a mut Calls<'b>,
        function: &'c Function,
        arguments: &'c [Difference],
        flow: Difference,
    ) -> Result<Difference, Violation> {
        let (locals, results) = Default::default();
        let mut walk = Self { calls, function, arguments, locals, results, values: Vec::new(), returned: None };
        loop {
            let known = walk.known();
            walk.values.clear();
            for (handle, expression) in function.expressions.iter() {
                let value = walk.evaluate(handle, expression);
                walk.values.push(value);
            }
            walk.block(&function.body, flow)?;
            if walk.known() == known {
                return Ok(walk.returned);
            }
        }
    }

    /// Grows with everything that is found to differ.
    fn known(&self) -> usize {
        let depth = |difference: Difference| difference.map_or(0, |differs| 1 + differs.among as usize);
        let locals = self.locals.values().map(|&differs| depth(Some(differs)));
        locals.chain(self.results.values().map(|&result| depth(result))).sum::<usize>() + depth(self.returned)
    }

    fn value(&self, expression: Handle<Expression>) -> Difference {
        self.values[expression.index()]
    }

    /// How an expression's value differs; a pointer stands for what lies behind it.
    fn evaluate(&self, handle: Handle<Expression>, expression: &Expression) -> Difference {
        let span = self.function.expressions.get_span(handle);
        let of = |operands: &[Option<Handle<Expression>>]| operands.iter().flatten().fold(None, |all, &one| wider(all, self.value(one)));
        match *expression {
            Expression::Literal(_)
            | Expression::Constant(_)
            | Expression::Override(_)
            | Expression::ZeroValue(_)
            | Expression::ArrayLength(_)
            | Expression::WorkGroupUniformLoadResult { .. } => None,
            Expression::FunctionArgument(index) if self.is_pointer(self.function.arguments[index as usize].ty) => {
                Some(Differs { among: Among::Invocations, span })
            }
            Expression::FunctionArgument(index) => self.arguments[index as usize].map(|differs| Differs { span, ..differs }),
            Expression::GlobalVariable(variable) => match self.calls.module.global_variables[variable].space {
                AddressSpace::Uniform | AddressSpace::Immediate | AddressSpace::Handle => None,
                AddressSpace::Storage { access } if !access.contains(StorageAccess::STORE) => None,
                _ => Some(Differs { among: Among::Invocations, span }),
            },
            Expression::LocalVariable(variable) => self.locals.get(&variable).copied(),
            Expression::Load { pointer } => self.value(pointer),
            Expression::Compose { ref components, .. } => components.iter().fold(None, |all, &one| wider(all, self.value(one))),
            Expression::Access { base, index } => of(&[Some(base), Some(index)]),
            Expression::AccessIndex { base, .. } => self.value(base),
            Expression::Splat { value, .. } => self.value(value),
            Expression::Swizzle { vector, .. } => self.value(vector),
            Expression::Unary { expr, .. } | Expression::As { expr, .. } => self.value(expr),
            Expression::Binary { left, right, .. } => of(&[Some(left), Some(right)]),
            Expression::Select { condition, accept, reject } => of(&[Some(condition), Some(accept), Some(reject)]),
            Expression::Relational { argument, .. } => self.value(argument),
            Expression::Math { arg, arg1, arg2, arg3, .. } => of(&[Some(arg), arg1, arg2, arg3]),
            // Results of statements; before the statement was walked nothing is known against them.
            Expression::CallResult(_) | Expression::SubgroupBallotResult | Expression::SubgroupOperationResult { .. } => {
                self.results.get(&handle).copied().flatten()
            }
            _ => Some(Differs { among: Among::Invocations, span }),
        }
    }

    /// How a condition differs, which is then the cause of all that follows from it.
    fn condition(&self, expression: Handle<Expression>) -> Difference {
        let span = self.function.expressions.get_span(expression);
        self.value(expression).map(|differs| Differs { span, ..differs })
    }

    fn is_pointer(&self, ty: Handle<naga::Type>) -> bool {
        matches!(self.calls.module.types[ty].inner, TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. })
    }

    /// Walks a block that is entered in the control flow `flow`.
    fn block(&mut self, block: &Block, mut flow: Difference) -> Result<Exits, Violation> {
        let mut exits = Exits::default();
        for (statement, &span) in block.span_iter() {
            let inner = self.statement(statement, span, flow)?;
            flow = wider(flow, inner.any());
            exits.merge(inner);
        }
        Ok(exits)
    }

    fn statement(&mut self, statement: &Statement, span: Span, flow: Difference) -> Result<Exits, Violation> {
        let mut exits = Exits::default();
        match *statement {
            Statement::Block(ref block) => exits = self.block(block, flow)?,
            Statement::If { condition, ref accept, ref reject } => {
                let inner = wider(flow, self.condition(condition));
                exits = self.block(accept, inner)?;
                exits.merge(self.block(reject, inner)?);
            }
            Statement::Switch { selector, ref cases } => {
                let inner = wider(flow, self.condition(selector));
                for case in cases {
                    exits.merge(self.block(&case.body, inner)?);
                }
                exits.breaks = None;
            }
            Statement::Loop { ref body, ref continuing, break_if } => {
                let returns = self.one_loop(body, continuing, break_if, flow)?;
                exits.returns = returns;
            }
            Statement::Break => exits.breaks = flow,
            Statement::Continue => exits.continues = flow,
            Statement::Return { value } => {
                exits.returns = flow;
                self.returned = wider(self.returned, wider(flow, value.and_then(|value| self.value(value))));
            }
            Statement::ControlBarrier(barrier) if barrier == Barrier::SUB_GROUP => {
                self.require(Among::Subgroups, "subgroupBarrier", span, flow)?
            }
            Statement::ControlBarrier(_) => self.require_all("a barrier", span, flow)?,
            Statement::WorkGroupUniformLoad { pointer, .. } => {
                self.require_all("workgroupUniformLoad", span, flow)?;
                self.require_all("the place of a workgroupUniformLoad", span, self.index(pointer))?;
            }
            Statement::Store { pointer, value } => {
                let stored = wider(wider(flow, self.value(value)), self.index(pointer));
                self.write(pointer, stored);
            }
            Statement::Call { function, ref arguments, result } => {
                let given: Vec<Difference> = arguments.iter().map(|&argument| self.value(argument)).collect();
                let returned = self.calls.call(function, &given, flow)?;
                if let Some(result) = result {
                    self.results.insert(result, wider(returned, flow));
                }
                for &argument in arguments {
                    self.write(argument, Some(Differs { among: Among::Invocations, span }));
                }
            }
            Statement::SubgroupBallot { result, .. } => {
                self.require(Among::Subgroups, "a subgroup's ballot", span, flow)?;
                self.results.insert(result, Some(Differs { among: Among::Subgroups, span }));
            }
            Statement::SubgroupGather { mode, result, .. } => {
                self.require(Among::Subgroups, "a subgroup's exchange", span, flow)?;
                let same = matches!(mode, GatherMode::BroadcastFirst | GatherMode::Broadcast(_));
                let among = if same { Among::Subgroups } else { Among::Invocations };
                self.results.insert(result, Some(Differs { among, span }));
            }
            Statement::SubgroupCollectiveOperation { collective_op, result, .. } => {
                self.require(Among::Subgroups, "a subgroup's operation", span, flow)?;
                let among = if collective_op == CollectiveOperation::Reduce { Among::Subgroups } else { Among::Invocations };
                self.results.insert(result, Some(Differs { among, span }));
            }
            Statement::CooperativeStore { target, .. } => {
                self.require(Among::Subgroups, "a cooperative matrix", span, flow)?;
                self.write(target, Some(Differs { among: Among::Invocations, span }));
            }
            Statement::Emit(ref range) => {
                for handle in range.clone() {
                    if let Expression::CooperativeLoad { .. } | Expression::CooperativeMultiplyAdd { .. } =
                        self.function.expressions[handle]
                    {
                        self.require(Among::Subgroups, "a cooperative matrix", span, flow)?;
                    }
                }
            }
            _ => {}
        }
        Ok(exits)
    }

    /// Walks a loop; returns why invocations return from within it at different times.
    fn one_loop(
        &mut self,
        body: &Block,
        continuing: &Block,
        break_if: Option<Handle<Expression>>,
        flow: Difference,
    ) -> Result<Difference, Violation> {
        let mut inner = flow;
        loop {
            let mut exits = self.block(body, inner)?;
            exits.merge(self.block(continuing, wider(inner, exits.any()))?);
            if let Some(condition) = break_if {
                exits.breaks = wider(exits.breaks, wider(inner, self.condition(condition)));
            }
            // Once some invocations have left or skipped a part, the others go round without them.
            let next = wider(inner, exits.any());
            if among(next) == among(inner) {
                return Ok(exits.returns);
            }
            inner = next;
        }
    }

    /// Says that the variable behind a pointer, where it is the function's own, now holds values that differ.
    fn write(&mut self, pointer: Handle<Expression>, stored: Difference) {
        if let (Some(variable), Some(stored)) = (root(&self.function.expressions, pointer), stored) {
            let known = self.locals.entry(variable).or_insert(stored);
            if stored.among > known.among {
                *known = stored;
            }
        }
    }

    /// How the place that a pointer means differs, whatever lies there.
    fn index(&self, pointer: Handle<Expression>) -> Difference {
        match self.function.expressions[pointer] {
            Expression::Access { base, index } => wider(self.index(base), self.value(index)),
            Expression::AccessIndex { base, .. } => self.index(base),
            _ => None,
        }
    }

    fn require_all(&self, operation: &'static str, span: Span, flow: Difference) -> Result<(), Violation> {
        flow.map_or(Ok(()), |differs| Err(Violation { operation, span, cause: differs.span }))
    }

    /// Allows control flow that differs among `allowed` at most.
    fn require(&self, allowed: Among, operation: &'static str, span: Span, flow: Difference) -> Result<(), Violation> {
        self.require_all(operation, span, flow.filter(|differs| differs.among > allowed))
    }
}

/// The local variable that a pointer leads into.
fn root(expressions: &Arena<Expression>, pointer: Handle<Expression>) -> Option<Handle<LocalVariable>> {
    match expressions[pointer] {
        Expression::LocalVariable(variable) => Some(variable),
        Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => root(expressions, base),
        _ => None,
    }
}
