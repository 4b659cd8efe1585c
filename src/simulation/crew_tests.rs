//! Clients that do anything, on workers that are threads.

use std::sync::Arc;

use super::actor::Actor;
use super::crew::Crew;
use super::{Simulation, setting};
use crate::store::stream::dice::Dice;
use crate::sync::orders::{alone, chance, explore, spawn};
use crate::sync::{Lock, orders};

/// Orders tried of each kind unless `WEIR_ORDERS` says more.
pub const ORDERS: u64 = 40;
/// Clients at once.
const ACTORS: usize = 7;
/// What each does.
const ACTS: u64 = 12;

/// How many orders are tried.
pub fn orders_len() -> usize {
    usize::try_from(setting("WEIR_ORDERS", ORDERS)).unwrap_or(usize::MAX)
}

/// A simulation with several workers, and its clients.
fn prepared() -> Simulation {
    loop {
        let mut simulation = Simulation::new(chance());
        if simulation.world.engine.workers.len() > 1 {
            for _ in 0..ACTORS {
                simulation.connect();
            }
            return simulation;
        }
    }
}

/// Has the clients do what they do, each in a thread, while time passes.
fn act(simulation: &mut Simulation) -> Crew {
    let record = Arc::new(Lock::new(std::mem::take(&mut simulation.record)));
    let of = |actor: &Actor| {
        let seated = simulation.world.seats[actor.slot].as_ref();
        seated.expect("it has come").worker
    };
    let actors: Vec<(Actor, usize)> = simulation
        .actors
        .drain(..)
        .map(|actor| {
            let worker = of(&actor);
            (actor, worker)
        })
        .collect();
    let deaths = simulation.deaths;
    let crew = Crew::start(&mut simulation.world);
    let mut threads = Vec::new();
    for (mut actor, worker) in actors {
        let (alarm, record) = (crew.alarm(worker), Arc::clone(&record));
        let mut dice = Dice::new(chance());
        threads.push(spawn(move || {
            for _ in 0..ACTS {
                actor.act(&mut dice, &mut record.lock());
                if deaths > 0 && dice.chance(4) {
                    actor.close(&mut dice);
                }
                alarm.wake_by_ref();
            }
            (actor, alarm)
        }));
    }
    for _ in 0..4 {
        crew.pass(chance() % 60);
    }
    let mut actors = Vec::new();
    for thread in threads {
        actors.push(thread.join().expect("a client that panics ends the test"));
    }
    let mut moved = true;
    while moved {
        crew.rest();
        moved = false;
        for (actor, alarm) in &mut actors {
            moved |= actor.finish(&mut record.lock());
            alarm.wake_by_ref();
        }
    }
    crew.rest();
    simulation.actors = actors.into_iter().map(|(actor, _)| actor).collect();
    simulation.record = std::mem::take(&mut *record.lock());
    crew
}

fn one_order() {
    let mut simulation = alone(prepared);
    let crew = act(&mut simulation);
    let over = crew.stop(&mut simulation.world);
    alone(|| {
        simulation.world.check_told();
        for served in over {
            let here = |actor: &&mut Actor| actor.slot == served.slot;
            if let Some(actor) = simulation.actors.iter_mut().find(here) {
                actor.read_rest(&mut simulation.record);
            }
            simulation.bury(&served);
        }
        simulation.come_to_rest();
        simulation.check_at_rest();
        simulation.part();
    });
}

#[test]
fn nothing_breaks_in_any_order_of_threads() {
    explore(setting("WEIR_SIM_SEED", 1), orders_len(), one_order);
}

/// That the tests of this kind see faults at all: who looks first and lowers the flag after loses
/// what came in between.
#[test]
#[should_panic(expected = "deadlock")]
fn a_lost_wake_up_shows() {
    explore(1, 200, || {
        let left = Arc::new((Lock::new(0), orders::Stage::<bool>::default()));
        let flag = Arc::new(crate::sync::Flag::default());
        let giver = {
            let (left, flag) = (Arc::clone(&left), Arc::clone(&flag));
            spawn(move || {
                for _ in 0..2 {
                    *left.0.lock() += 1;
                    if !flag.raise() {
                        left.1.change(|called| *called = true);
                    }
                }
            })
        };
        let mut taken = 0;
        while taken < 2 {
            taken += std::mem::take(&mut *left.0.lock());
            flag.lower();
            if taken < 2 {
                left.1.wait(|called| std::mem::take(called).then_some(()));
            }
        }
        giver.join().expect("it ends");
    });
}
