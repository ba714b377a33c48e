//! The cost of one request through this crate's layer and through its peers: the same
//! tokens, the same two keys, the same trivial axum handler, in one process and in turn.
//! The table, units and options are those of `../per_request.rs`.
//!
//! Before anything is timed, each contender has to accept a genuine token and reject bad
//! ones; what a peer cannot be configured to check is listed with it and printed.
#![allow(clippy::print_stdout)]

#[path = "../../common/mod.rs"]
#[allow(dead_code, reason = "each bench uses a part")]
mod common;

mod backend;
mod faults;
mod gates;

use common::arguments::Arguments;
use common::report::{Column, Report};
use common::rounds::{Contender, interleave, median, ratio};
use common::scene::{CALLS, Scene};
use http::StatusCode;

use backend::Backend;
use faults::Fault;
use gates::{Gate, Gates};

fn main() {
    let arguments = Arguments::read();
    backend::install();
    let scene = Scene::new();
    let mut gates = Gates::new(&scene);
    for gate in &mut gates.all {
        check(gate, &scene);
    }
    let notes: Vec<_> = (gates.all.iter())
        .filter(|gate| !gate.unchecked.is_empty())
        .map(|gate| format!("{} cannot check {:?}", gate.name, gate.unchecked))
        .collect();

    let tokens = &scene.tokens;
    let mut contenders = vec![scene.floor("floor", tokens)];
    contenders.extend((gates.all.iter_mut()).map(|gate| {
        let again = vec![tokens[0].clone(); CALLS as usize];
        let tokens = if gate.warm { again } else { tokens.clone() };
        Contender::new(gate.name, CALLS, move || gate.time(&tokens))
    }));
    let times = interleave(&mut contenders, arguments.number("rounds", 200));

    let named = |name: &str| {
        let found = contenders
            .iter()
            .position(|contender| contender.name == name);
        &times[found.expect("it runs")]
    };
    let mut report = Report::new([
        Column::NANOSECONDS,
        Column::TO_FLOOR,
        Column::new("to layer_cold", "ratio_to_layer_cold", 3),
        Column::new("to layer_warm", "ratio_to_layer_warm", 2),
    ]);
    for (contender, own) in contenders.iter().zip(&times) {
        let ratios = [&times[0], named("layer_cold"), named("layer_warm")];
        let numbers =
            std::iter::once(median(own.iter().copied())).chain(ratios.map(|base| ratio(own, base)));
        report.row(&contender.name, numbers);
    }
    report.print(arguments.json());
    if !arguments.json() {
        for note in notes {
            println!("{note}");
        }
    }
}

/// Panics unless `gate` accepts a genuine token and rejects all others, except those that
/// it is known not to check.
fn check(gate: &mut Gate<'_>, scene: &Scene) {
    let name = gate.name;
    assert_eq!(gate.status(&scene.tokens[0]), StatusCode::OK, "{name}");
    if gate.open {
        return;
    }
    for fault in Fault::ALL {
        let refused = gate.status(&fault.token(scene)) != StatusCode::OK;
        let expected = !gate.unchecked.contains(&fault);
        assert_eq!(refused, expected, "{name} refuses {fault:?}");
    }
    // Twice more: a cache, if there is one, now has the genuine token.
    for _ in 0..2 {
        assert_eq!(gate.status(&scene.tokens[0]), StatusCode::OK, "{name}");
    }
}
