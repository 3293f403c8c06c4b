export default {
  state_queued: "排队中",
  state_receiving: "接收中",
  state_pending: "待投递",
  state_running: "运行中",
  state_canceling: "取消中",
  state_succeeded: "成功",
  state_completed: "已完成",
  state_delivered: "已投递",
  state_failed: "失败",
  state_dead: "已放弃",
  state_canceled: "已取消",
  state_expired: "已过期",
};
