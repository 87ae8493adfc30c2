/** 快速跳转、快捷键和外观的文字。 */
export const paletteZhCN = {
  palette: {
    open: '快速跳转',
    hint: '商户名称、appid、发布单，或页面名称',
    pages: '页面',
    merchants: '商户',
    rollouts: '发布',
    nothing: '没有找到',
    searching: '正在搜索',
    keys: '↑↓ 选择 · 回车打开 · Esc 关闭',
    shortcuts: '快捷键',
    shortcutList: {
      palette: '打开快速跳转',
      help: '显示快捷键',
      dashboard: '去概览',
      authorizers: '去商户',
      rollouts: '去发布',
      messages: '去消息',
    },
  },
  theme: {
    label: '外观',
    system: '跟随系统',
    light: '浅色',
    dark: '深色',
    change: '外观：{{now}}，点击切换',
  },
};
