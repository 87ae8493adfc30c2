import { describe, expect, it } from 'vitest';
import { channelBody, channelFaults, emptyChannel, kindOfUrl } from './notices';

const robot = 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1';

describe('a channel', () => {
  it('needs a name, something to tell, and an address when it is new', () => {
    expect(channelFaults({ ...emptyChannel, events: [] }, false)).toEqual({
      name: 'name',
      url: 'url',
      events: 'events',
    });
    expect(channelFaults({ ...emptyChannel, name: '群' }, true)).toEqual({});
    expect(channelFaults({ ...emptyChannel, name: '群', url: 'qyapi.weixin.qq.com' }, true)).toEqual({ url: 'url' });
  });

  it('sends neither an address nor a secret that was left empty, and a secret only where one is given by hand', () => {
    expect(channelBody({ ...emptyChannel, name: ' 群 ' })).not.toHaveProperty('url');
    const typed = { ...emptyChannel, name: '群', url: robot, secret: 'SEC1' };
    expect(channelBody(typed)).not.toHaveProperty('secret');
    expect(channelBody({ ...typed, kind: 'webhook' })).not.toHaveProperty('secret');
    expect(channelBody({ ...typed, kind: 'dingtalk' })).toMatchObject({ name: '群', url: robot, secret: 'SEC1' });
  });

  it('is recognised by its address', () => {
    expect(kindOfUrl(robot)).toBe('wecom');
    expect(kindOfUrl('https://oapi.dingtalk.com/robot/send?access_token=1')).toBe('dingtalk');
    expect(kindOfUrl('https://open.feishu.cn/open-apis/bot/v2/hook/1')).toBe('feishu');
    expect(kindOfUrl('https://example.com/')).toBeUndefined();
  });
});
