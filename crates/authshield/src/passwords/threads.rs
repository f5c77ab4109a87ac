//! What a hashing thread asks of the system: the last place in line for a core, and to take back memory.

/// Lets the allocator give back to the system what was freed a while ago.
///
/// It looks for that when a thread ends that has allocated something, and hardly ever otherwise: who is
/// idle would keep it for ever.
pub(super) fn return_freed_memory() {
    let passing = std::thread::Builder::new().name("free".to_owned()).spawn(|| {
        drop(std::hint::black_box(Box::new(0_u8)));
    });
    match passing {
        // It does nothing that could panic.
        Ok(thread) => drop(thread.join()),
        Err(error) => tracing::debug!(%error, "freed memory stays with the program"),
    }
}

/// Lets everything else run first.
///
/// Not only by the lowest priority but as an idle thread (`SCHED_IDLE`): others of its scheduling group
/// (a cgroup, or else a session) take the core from it the moment they wake. From a thread of low
/// priority they get it at the end of its turn, and a refresh wakes a dozen times.
pub(super) fn take_the_back_seat() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
            set_thread_priority_and_policy, thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) =
            set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
        {
            tracing::debug!(?error, "a hashing thread keeps its ordinary priority");
        }
    }
}
