//! What a processed object costs, by the emulator's own count.

use tokio::runtime::Runtime;

use crate::{Figure, Scale, system::System};

/// Class A and Class B operations of a whole poll that lists again at its end, its lease and its listings among them.
#[allow(clippy::cast_precision_loss, reason = "no round makes 2^52 calls")]
pub(crate) fn figures(scale: &Scale, runtime: &Runtime, system: &System) -> [Figure; 2] {
    system.lay(scale.objects);
    system.emulator.storage().reset_calls();
    runtime.block_on(system.poll(scale.objects, true));
    let calls = system.emulator.storage().calls();
    println!("storage calls for {} objects: {calls:?}", scale.objects);
    let class_a = calls.class_a() as f64 / scale.objects as f64;
    [
        Figure {
            what: "Class A operations a processed object".into(),
            measured: format!("{class_a:.4}"),
            goal: "≤ 1.01",
            met: class_a <= 1.01,
        },
        Figure {
            what: "Class B operations of the whole poll".into(),
            measured: calls.class_b().to_string(),
            // The look at the inbox's brake.
            goal: "≤ 1",
            met: calls.class_b() <= 1,
        },
    ]
}
