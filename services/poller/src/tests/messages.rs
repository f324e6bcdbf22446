//! Every line of the log, and every reason that an event or an answer gives, in words.

use serde_json::Value;

use super::{logs::listen, world::World, *};
use crate::outcome::ObjectResult;

/// The fields whose values are words.
const WORDS: [&str; 12] = [
    "object",
    "settlement",
    "status",
    "reason",
    "destination",
    "summary",
    "labels",
    "filter",
    "detail",
    "why",
    "error",
    "kind",
];

/// What a scene logs, a line each: level, message, and the fields that are words.
async fn logged(name: &str, scene: impl AsyncFnOnce() -> String) -> String {
    let (buffer, logging) = listen();
    let result = scene().await;
    drop(logging);
    let mut shown = vec![format!("== {name}\n")];
    for line in buffer.text().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        shown.push(format!("{} {}", text(&line["severity"]), text(&line["message"])));
        for word in WORDS {
            if let Some(value) = line.get(word) {
                shown.push(format!("; {word}={}", text(value)));
            }
        }
        shown.push("\n".into());
    }
    shown.push(result);
    shown.concat()
}

fn named(world: &World, name: &str) -> ObjectRef {
    let objects = world.sim.objects("data");
    let found = objects.into_iter().find(|object| object.name == name);
    ObjectRef {
        bucket: "data".into(),
        name: name.into(),
        generation: Some(found.map_or(7, |found| found.generation)),
    }
}

async fn event(world: &World, name: &str) -> String {
    let named = named(world, name);
    match world.send(named).await {
        Ok(ObjectResult::Settled(settled)) => {
            format!("  {name}: {:?}: {}\n", settled.settlement(), settled.reason)
        }
        Ok(ObjectResult::Retry { why, .. }) => format!("  {name}: retry: {why}\n"),
        Ok(ObjectResult::Ignored(ignored)) => format!("  {name}: ignored: {ignored:?}\n"),
        Err(error) => format!("  {name}: error: {error}\n"),
    }
}

fn answers() -> [(&'static str, Answer); 4] {
    [
        ("bad", Answer::status(Code::InvalidArgument, "line 3: no")),
        ("later", Answer::status(Code::Unavailable, "loading")),
        ("lost", Answer::Transport(TransportError::CutShort("cut".into()))),
        ("slow", Answer::TimedOut(Duration::from_secs(60))),
    ]
}

#[tokio::test(start_paused = true)]
async fn polls_say_what_happened_to_each_object_and_why() {
    // How many calls a worker that is away gets depends on jitter.
    fastrand::seed(7);
    let mut shown = String::new();
    shown += &logged("every kind of end", async || {
        let world = answering(answers());
        world.upload(&["bad", "good", "later", "lost", "slow"]);
        world.poll_all().await;
        let mut said = String::new();
        for name in ["in/later", "in/lost", "in/gone", "in/.brigade/x", "elsewhere"] {
            said += &event(&world, name).await;
        }
        said
    })
    .await;
    shown += &logged("the last attempt", async || {
        let world = world_with(script(answers()), "in/", |config| {
            config.budgets.max_attempts = 1;
        });
        world.upload(&["later"]);
        world.poll_all().await;
        String::new()
    })
    .await;
    shown += &logged("a stop", async || {
        let world = answering([("a", Answer::status(Code::Unauthenticated, "bad audience"))]);
        world.upload(&["a"]);
        world.poll_all().await;
        event(&world, "in/a").await
    })
    .await;
    shown += &logged("a worker that is away", async || {
        let away = TransportError::Connect("refused".into());
        let world = answering([("a", Answer::Transport(away))]).with(&["a"]);
        world.poll_all().await;
        String::new()
    })
    .await;
    insta::assert_snapshot!(shown);
}

#[tokio::test(start_paused = true)]
async fn what_keeps_an_object_or_ends_a_poll_early_says_why() {
    // The order of what happens at about the same time depends on the pauses.
    fastrand::seed(3);
    let mut shown = String::new();
    for (operation, kind) in [
        (Operation::Move, Kind::Invalid),
        (Operation::Move, Kind::PermissionDenied),
        (Operation::Move, Kind::Unknown),
        (Operation::Update, Kind::Invalid),
        (Operation::Update, Kind::Unknown),
        (Operation::List, Kind::Unknown),
    ] {
        shown += &logged(&format!("{operation:?} is refused: {kind:?}"), async || {
            let world = answering(answers());
            world.refuse(operation, kind.clone());
            world.upload(&["bad", "later"]);
            world.poll_all().await;
            if operation == Operation::List {
                return String::new();
            }
            event(&world, "in/bad").await
        })
        .await;
    }
    shown += &logged("an object that was replaced", async || {
        let world = world(waiting(5)).with(&["a"]);
        world.poll_meanwhile(|| world.upload(&["a"])).await;
        String::new()
    })
    .await;
    shown += &logged("a shutdown, and a lease that another holds or that is lost", async || {
        let world = world(leased(waiting(50))).with(&["a", "b"]);
        tokio::join!(world.poll_all(), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // Its holder's name is another for each run.
            world.start();
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.sim.remove("data", ".brigade/in/lease").unwrap();
        });
        world.upload(&["c"]);
        world.poll_meanwhile(|| world.shutdown.cancel()).await;
        event(&world, "in/c").await
    })
    .await;
    shown += &logged("a listener that does not read", async || {
        let world = answering([]);
        for n in 0..MAX_BEHIND + 100 {
            world.sim.upload("data", &format!("in/.brigade/{n}"), "1").unwrap();
        }
        let request = request(|r| r.explain = true);
        let _unread = world.poller.start(&request, &Trigger::default()).unwrap();
        world.poller.drained().await;
        String::new()
    })
    .await;
    insta::assert_snapshot!(shown);
}
