export default {
  state_queued: "Queued",
  state_receiving: "Receiving",
  state_pending: "Pending",
  state_running: "Running",
  state_canceling: "Canceling",
  state_succeeded: "Succeeded",
  state_completed: "Completed",
  state_delivered: "Delivered",
  state_failed: "Failed",
  state_dead: "Given up",
  state_canceled: "Canceled",
  state_expired: "Expired",
};
