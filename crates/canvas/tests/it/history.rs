//! Long sessions: a fold of bounded size answers as one that has every step, or says that it cannot.

use crate::random::Random;
use crate::world::*;
use agent::{Seq, SessionId};
use canvas::*;

fn whole(world: &World) -> Fold {
    let mut fold = Fold::whole();
    for (seq, at, event, body) in &world.journal {
        fold.apply(*seq, *at, event, body);
    }
    fold
}

#[test]
fn the_size_of_a_fold_does_not_depend_on_the_number_of_steps() {
    let mut world = World::in_memory();
    let mut sizes = Vec::new();
    for n in 0..4 * MAX_RECENT_STEPS {
        world.write(&format!("file-{}", n % 7), &format!("{n:09}\n"));
        if n % MAX_RECENT_STEPS == MAX_RECENT_STEPS - 1 {
            sizes.push(serde_json::to_string(&world.fold).unwrap().len());
        }
    }
    println!("bytes of a fold after each {MAX_RECENT_STEPS} steps: {sizes:?}");
    assert!(sizes[3] < sizes[0] + sizes[0] / 20, "only numbers of more digits");
    assert_eq!((world.fold.steps().len(), world.fold.older_steps()), (MAX_RECENT_STEPS, 3 * MAX_RECENT_STEPS as u64));
    assert_eq!(whole(&world).steps().len(), 4 * MAX_RECENT_STEPS);
    assert_eq!(world.fold.pending(), whole(&world).pending());
}

#[test]
fn steps_of_many_files_push_the_older_ones_out_and_the_last_one_stays() {
    let mut world = World::in_memory();
    let names: Vec<String> = (0..MAX_RECENT_CHANGES + 1).map(|n| format!("dir/{n}")).collect();
    let edits =
        |count: usize| -> Vec<_> { names[..count].iter().map(|n| (n.as_str(), Some(regular("made")))).collect() };
    world.edit(&edits(2));
    world.edit(&edits(MAX_RECENT_CHANGES - 2));
    assert_eq!(world.fold.steps().len(), 2);
    world.edit(&edits(1));
    assert_eq!((world.fold.steps().len(), world.fold.older_steps()), (2, 1));
    world.edit(&edits(MAX_RECENT_CHANGES + 1));
    assert_eq!((world.fold.steps().len(), world.fold.older_steps()), (1, 3));
}

/// Rewinding to any step works: with what is at hand where that reaches, else with every step of the journal.
#[test]
fn rewind_and_redo_reach_the_first_step_of_a_long_session() {
    let mut world = World::in_memory();
    let seqs: Vec<Seq> = (0..MAX_RECENT_STEPS + 50).map(|n| world.write("a", &format!("{n}\n"))).collect();
    let blobs = world.store.blobs();
    assert!(world.fold.rewind(seqs[100], &blobs).is_ok());
    assert_eq!(world.fold.step(seqs[10]), Err(Older));
    for to in [Seq(0), seqs[10]] {
        assert!(matches!(world.fold.rewind(to, &blobs), Err(MoveError::Older(Older))));
        world.moved(to, whole(&world).rewind(to, &blobs).unwrap());
        let expected = if to == Seq(0) { None } else { Some("10\n".to_owned()) };
        assert_eq!((world.text("a"), world.fold.position()), (expected, to));
        assert!(world.fold.is_redoable());
        assert_eq!(world.fold.next_redo(), Err(Older));
        let last = *seqs.last().unwrap();
        assert!(matches!(world.fold.redo(last, &blobs), Err(MoveError::Older(Older))));
        world.moved(last, whole(&world).redo(last, &blobs).unwrap());
        assert_eq!(world.text("a").unwrap(), format!("{}\n", seqs.len() - 1));
        assert!(!world.fold.is_redoable());
    }
    world.moved(seqs[3], whole(&world).rewind(seqs[3], &blobs).unwrap());
    assert_eq!(world.fold.previous(), Err(Older));
    assert_eq!(whole(&world).previous(), Ok(Some(seqs[2])));
    world.write("a", "another way\n");
    assert_eq!((world.fold.previous(), world.fold.is_redoable()), (Ok(Some(seqs[3])), false));
}

#[test]
fn an_old_accept_is_taken_back_with_every_step_at_hand() {
    let mut world = World::in_memory();
    world.save("a", "0\n");
    world.write("a", "1\n");
    world.accept(&Selection::All);
    let accept = world.fold.head();
    for n in 0..MAX_RECENT_STEPS {
        world.write("b", &format!("{n}\n"));
    }
    assert!(world.fold.is_undoable());
    assert_eq!(world.fold.last_accept(), Err(Older));
    assert!(matches!(plan_undo(&world.fold, accept), Err(PlanError::Older(Older))));
    let plan = plan_undo(&whole(&world), accept).unwrap();
    let accepted = world.execute(&plan);
    let event = agent::Event::AcceptUndone { effect: effect(agent::EffectKind::Accept, 1), undoes: accept, files: 1 };
    world.append(event, wire::body::write(&accepted.end));
    assert_eq!(world.on_disk("a").unwrap(), b"0\n");
    assert_eq!((world.fold.is_undoable(), world.fold.last_accept()), (false, Ok(None)));
    assert_eq!(whole(&world).last_accept(), Ok(None));
}

#[test]
fn a_picture_is_drawn_of_every_step_or_not_at_all() {
    let mut world = World::in_memory();
    for n in 0..=MAX_RECENT_STEPS {
        world.write("a", &format!("{n}\n"));
    }
    let picture = Picture::new(world.outside().join("picture"));
    let session = SessionId::from_parts(1, 1);
    let refused = picture.log(session, &world.fold, &world.store.blobs());
    assert!(matches!(refused, Err(PictureError::Older(Older))));
    let drawn = picture.log(session, &whole(&world), &world.store.blobs()).unwrap();
    assert_eq!(drawn.len(), MAX_RECENT_STEPS + 1);
}

/// The same, or [`Older`]; whether it was the same.
fn agree<T: PartialEq + std::fmt::Debug>(bounded: Result<T, Older>, whole: Result<T, Older>, what: &str) -> bool {
    assert!(whole.is_ok());
    assert!(bounded == Err(Older) || bounded == whole, "{what}: {bounded:?} {whole:?}");
    bounded.is_ok()
}

#[test]
fn random_long_histories_are_answered_for_alike() {
    const HISTORIES: u64 = 6;
    let (mut same, mut older, mut moves) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let (mut world, mut random) = (World::in_memory(), Random(seed ^ 0x0001_d0de));
        let blobs = world.store.blobs();
        let mut all = Fold::whole();
        for n in 0..MAX_RECENT_STEPS * 3 {
            let seqs: Vec<Seq> = all.steps().iter().map(|step| step.seq).collect();
            let some = |random: &mut Random| if seqs.is_empty() { Seq(0) } else { seqs[random.below(seqs.len())] };
            let far = n > MAX_RECENT_STEPS && random.below(25) == 0;
            match random.below(12) {
                0 => match if far { Ok(Some(some(&mut random))) } else { all.previous() } {
                    Ok(Some(to)) => drop(all.rewind(to, &blobs).map(|draft| world.moved(to, draft))),
                    _ => continue,
                },
                1 => match if far { Ok(Some(some(&mut random))) } else { all.next_redo() } {
                    Ok(Some(to)) => drop(all.redo(to, &blobs).map(|draft| world.moved(to, draft))),
                    _ => continue,
                },
                2 if !world.fold.pending().is_empty() && random.below(4) == 0 => drop(world.accept(&Selection::All)),
                3 if random.below(8) == 0 => match all.last_accept().unwrap().map(|step| step.seq) {
                    Some(undoes) => {
                        let end = wire::body::AcceptEnd::default();
                        let effect = effect(agent::EffectKind::Accept, 1);
                        let event = agent::Event::AcceptUndone { effect, undoes, files: 0 };
                        world.append(event, wire::body::write(&end));
                    }
                    None => continue,
                },
                _ => drop(world.write(["a", "b", "c"][random.below(3)], &format!("{}\n", random.below(1000)))),
            }
            for (seq, at, event, body) in &world.journal[all.head().0 as usize..] {
                all.apply(*seq, *at, event, body);
            }
            let what = format!("seed {seed}, step {n}");
            assert_eq!(
                (world.fold.is_redoable(), world.fold.is_undoable()),
                (all.is_redoable(), all.is_undoable()),
                "{what}"
            );
            let fold = &world.fold;
            let mut count = |agreed: bool| *(if agreed { &mut same } else { &mut older }) += 1;
            count(agree(fold.previous(), all.previous(), &what));
            count(agree(fold.next_redo(), all.next_redo(), &what));
            count(agree(fold.last_accept(), all.last_accept(), &what));
            let to = some(&mut random);
            count(agree(fold.step(to), all.step(to), &what));
            if n % 8 == 0 {
                type Move = fn(&Fold, Seq, &Blobs) -> Result<Draft<wire::body::Moved>, MoveError>;
                for how in [Fold::rewind as Move, Fold::redo as Move] {
                    let told = |moved: Result<Draft<_>, MoveError>| moved.map_err(|error| error.to_string());
                    match (how(fold, to, &blobs), told(how(&all, to, &blobs))) {
                        (Err(MoveError::Older(Older)), _) => older += 1,
                        (bounded, whole) => {
                            assert_eq!(told(bounded), whole, "{what}, {to}");
                            moves += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(world.replayed(), world.fold, "seed {seed}");
        let text = serde_json::to_string(&world.fold).unwrap();
        assert_eq!(serde_json::from_str::<Fold>(&text).unwrap(), world.fold, "seed {seed}");
    }
    println!("seeds 0..{HISTORIES}: {same} answers alike, {moves} moves alike, {older} for older steps, 0 failures");
    assert!(same > older && older > 0 && moves > 0);
}
