package fault

// chinese is the translation of an English sentence with the same verbs; arguments may change places by an index such as
// %[2]s. A test compares it with the sentences in the source.
func chinese(format string) (translated string, ok bool) {
	switch format {
	// component/forward, the pass-through proxy
	case "To turn the proxy on, say where the business system is, e.g. http://127.0.0.1:8090.":
		return "要开启透传代理，请填写业务系统的地址，例如 http://127.0.0.1:8090。", true
	case "The upstream is http:// or https:// with a host, without user, query or fragment, e.g. http://127.0.0.1:8090.":
		return "上游地址须以 http:// 或 https:// 开头并包含主机，不含用户名、查询参数和片段，例如 http://127.0.0.1:8090。", true
	case "The upstream is this program itself. Give the address of the business system.":
		return "上游地址指向了本程序自身，请填写业务系统的地址。", true
	case "The business system behind this address cannot be reached. Try again shortly.":
		return "暂时无法连接该地址背后的业务系统，请稍后重试。", true

	// component/forward, component/notice: what must not happen
	case "The message could not be handled: a fault of ours, told in the log.":
		return "消息处理出错：这是本系统的问题，详见日志。", true
	case "The message could not be read from the database: a fault of ours, told in the log.":
		return "无法从数据库读取这条消息：这是本系统的问题，详见日志。", true
	case "The notice could not be written: a fault of ours, told in the log.":
		return "通知生成出错：这是本系统的问题，详见日志。", true

	// internal/system, internal/jobs
	case "There is no such job; jobs that are done are kept for a day.":
		return "没有这个任务；已完成的任务只保留一天。", true
	case "This job is being worked at this moment.":
		return "该任务正在执行。", true
	case "This job is done; there is nothing to repeat.":
		return "该任务已完成，无需重试。", true
	case "This job has ended already.":
		return "该任务已经结束。", true
	case "%d applied, %d to come.":
		return "已执行 %d 个，待执行 %d 个。", true
	case "%d running, %d silent.":
		return "运行中 %d 个，失联 %d 个。", true
	case "The running processes are of %d versions.":
		return "运行中的进程共有 %d 个版本。", true
	case "No job waits.":
		return "没有等待中的任务。", true
	case "The job that waits longest has been due for %s.":
		return "等待最久的任务已到期 %s。", true
	case "%d jobs were given up and can be retried.":
		return "已放弃的任务 %d 个，可以重试。", true
	case "All secrets are sealed with one key.":
		return "所有机密都用同一把密钥加密。", true
	case "A change of the master key is unfinished. If it is not running, run wxsteward rekey again with the same keys.":
		return "主密钥更换尚未完成。如果 rekey 没有在运行，请用同样的两把密钥再执行一次 wxsteward rekey。", true

	// component/notice
	case "There are %d notice channels already, and no more than that are possible. Delete some first.":
		return "通知渠道已有 %d 个，达到上限，请先删除一些。", true
	case "Choose at least one event that is told here.":
		return "请至少选择一种要通知的事件。", true
	case "Robots of WeCom have no secret: the key in the address is all.":
		return "企业微信机器人没有密钥，地址中的 key 就是全部凭证。", true
	case "The secret of a webhook is made here; ask for a new one instead.":
		return "Webhook 的密钥由本系统生成，如需更换请重新生成。", true
	case "A secret has at most %d characters and no spaces.":
		return "密钥最多 %d 个字符，不能含空格。", true
	case "The address of a WeCom robot is like https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…":
		return "企业微信机器人的地址形如 https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…", true
	case "The address of a DingTalk robot is like https://oapi.dingtalk.com/robot/send?access_token=…":
		return "钉钉机器人的地址形如 https://oapi.dingtalk.com/robot/send?access_token=…", true
	case "The address of a Feishu robot is like https://open.feishu.cn/open-apis/bot/v2/hook/…":
		return "飞书机器人的地址形如 https://open.feishu.cn/open-apis/bot/v2/hook/…", true
	case "There is no such notice channel.":
		return "没有这个通知渠道。", true
	case "Only webhooks have a secret that is made here. Enter a robot's own secret instead.":
		return "只有 Webhook 的密钥由本系统生成；机器人的密钥请直接填写。", true
	case "Simulation: %s":
		return "【模拟】%s", true
	case "Tickets come from WeChat again":
		return "微信票据已恢复推送", true
	case "There is nothing to do.":
		return "无需处理。", true
	case "No ticket comes from WeChat":
		return "收不到微信票据", true
	case "The last one came at %s.":
		return "最近一次收到票据的时间：%s。", true
	case "Check the callback address in WeChat's console, then run the checks on the platform page. Twelve hours after the last ticket every call for every merchant fails.":
		return "请在微信开放平台检查授权事件接收地址，再到平台设置页运行自检。最后一张票据收到 12 小时后，所有商户的接口调用都会失败。", true
	case "Rollout paused: %s":
		return "发布已暂停：%s", true
	case "See which merchants failed and why, then resume or cancel the rollout.":
		return "请查看哪些商户失败及原因，然后恢复或取消发布。", true
	case "Rollout completed: %s":
		return "发布已完成：%s", true
	case "Rollout canceled: %s":
		return "发布已取消：%s", true
	case "Nothing is left to do for it; merchants that were not released can be retried on its page.":
		return "这次发布已结束；未发布成功的商户可在发布页重试。", true
	case "Messages were given up: %s":
		return "消息投递失败：%s", true
	case "%d messages could not be delivered by this rule and are tried no more.":
		return "该转发规则有 %d 条消息未能投递，已不再重试。", true
	case "Mend the target, then send the dead deliveries of the rule again.":
		return "请修复接收方，然后重新投递该规则的死信。", true
	case "Forward rule paused: %s":
		return "转发规则已暂停：%s", true
	case "Its target has taken nothing since %s. Messages for it wait.":
		return "自 %s 起接收方没有成功接收过任何消息，后续消息正在等待。", true
	case "Mend the target, then enable the rule: what waits is sent then.":
		return "请修复接收方，然后启用规则，等待中的消息会随即发送。", true
	case "Rollout: %s":
		return "发布：%s", true
	case "Audit passed: %s":
		return "审核通过：%s", true
	case "Audit passed for %d merchants":
		return "%d 个商户审核通过", true
	case "It is released as the rollout says; where that is by hand, release it on its page.":
		return "将按发布设置上线；若为手动发布，请在发布页操作。", true
	case "Audit rejected: %s":
		return "审核未通过：%s", true
	case "Audit rejected for %d merchants":
		return "%d 个商户审核未通过", true
	case "Read the reason and the pictures on its page, mend what they say, then retry.":
		return "请在发布页查看原因和截图，修改后重试。", true
	case "Audit delayed: %s":
		return "审核延后：%s", true
	case "Audit delayed for %d merchants":
		return "%d 个商户审核延后", true
	case "WeChat's reviewers need longer. The rollout waits for them; there is nothing to do.":
		return "微信审核需要更长时间，发布会继续等待，无需处理。", true
	case "Authorization withdrawn: %s":
		return "商户取消授权：%s", true
	case "%d merchants have withdrawn their authorization":
		return "%d 个商户取消了授权", true
	case "Calls for the merchant and its submissions have ended. To serve it again, send it an authorization link.":
		return "该商户的接口调用和进行中的发布均已停止。如需继续服务，请发送授权链接让其重新授权。", true
	case "Test of the notice channel %s":
		return "通知渠道测试：%s", true
	case "Notices reach this place.":
		return "通知可以送达这里。", true
	case "Choose on the notices page what is told here.":
		return "可在通知页选择要发送到这里的事件。", true
	case "and %d more":
		return "以及另外 %d 个", true
	case "Open in wxsteward":
		return "在 wxsteward 中查看", true
	case "and more":
		return "等", true
	case "The target answered with a redirect (%s), which is not followed: enter the final address.":
		return "接收方返回了重定向（%s），不会跟随，请填写最终地址。", true
	case "The robot has got too many messages lately. It goes on by itself.":
		return "机器人近期收到的消息过多，稍后会自动继续。", true
	case "What answered is no robot of this kind. Check kind and address of the channel.":
		return "应答方不是这种机器人，请检查渠道的类型和地址。", true
	case "The address of this channel cannot be opened with the present MASTER_KEY. Enter it again.":
		return "当前 MASTER_KEY 无法解开该渠道的地址，请重新填写。", true
	case "The channel was switched off before this was sent.":
		return "发送前渠道已停用。", true
	case "The secret of this channel cannot be used. Make a new one.":
		return "该渠道的密钥不可用，请重新生成。", true
	case "The robot refused the message: %s (errcode %s).":
		return "机器人拒绝了消息：%s（errcode %s）。", true
	case "The robot is gone or was stopped: enter the address of a working one.":
		return "机器人已被删除或停用，请填写可用机器人的地址。", true
	case "Add the keyword wxsteward to the robot: every notice holds it.":
		return "请在机器人的安全设置中添加关键词 wxsteward，每条通知都包含它。", true
	case "Add the addresses of this server to the robot's IP list.":
		return "请把本服务器的出口 IP 加入机器人的 IP 白名单。", true
	case "Compare the secret of the channel with the robot's, and the clock of this server with the time.":
		return "请核对渠道密钥与机器人的加签密钥是否一致，以及服务器时间是否准确。", true
	case "There is no such notice.":
		return "没有这条通知。", true
	case "The channel of this notice is switched off. Enable it first.":
		return "该通知的渠道已停用，请先启用。", true
	case "Asking WeChat to push tickets again has not helped.":
		return "已请求微信重新推送票据，仍未收到。", true
	case "None has come since the platform was set up.":
		return "自平台配置以来从未收到票据。", true
	case "WeChat was asked to push tickets again and did not take the request: %s":
		return "请求微信重新推送票据失败：%s", true

	// internal/adminauth, internal/httpserver
	case "There is no such user.":
		return "没有这个用户。", true
	case "There is no user %s.":
		return "没有名为 %s 的用户。", true
	case "There is a user of this name already.":
		return "用户名已存在，请换一个。", true
	case "The user name or the password is wrong.":
		return "用户名或密码错误。", true
	case "The current password is wrong.":
		return "当前密码错误。", true
	case "A password has %d to %d characters.":
		return "密码须为 %d 至 %d 个字符。", true
	case "A user name has 1 to 64 letters, digits or . _ @ + - and begins with a letter or digit.":
		return "用户名为 1 至 64 个字母、数字或 . _ @ + -，并以字母或数字开头。", true
	case "This is the last administrator. Make another user an administrator first.":
		return "这是最后一个管理员，请先把其他用户设为管理员。", true
	case "Too many tries to sign in. Wait for the time in Retry-After; open sessions go on.":
		return "登录尝试次数过多，请等待 Retry-After 给出的时间后再试；已登录的会话不受影响。", true
	case "The password is wrong.":
		return "密码错误。", true
	case "The code is wrong or was used already. Wait for the next one and try again.":
		return "验证码错误或已使用过，请等待下一个验证码后重试。", true
	case "The second factor is on already. Remove it first to set up another.":
		return "两步验证已开启；要更换，请先关闭。", true
	case "Nothing has been set up yet. Ask for a secret first.":
		return "尚未开始设置两步验证，请先获取密钥。", true
	case "There is no second factor to be removed or renewed.":
		return "尚未开启两步验证。", true
	case "This is your own second factor. Remove it under your account, with your password and a code.":
		return "这是您自己的两步验证，请在账号页凭密码和验证码关闭。", true
	case "An API key has no second factor.":
		return "API 密钥没有两步验证。", true
	case "There is no such session; perhaps it has ended.":
		return "没有这个登录会话，可能已经结束。", true
	case "Only administrators see the sessions of others.":
		return "只有管理员可以查看其他用户的登录会话。", true
	case "The session is over. Sign in again.":
		return "登录已失效，请重新登录。", true
	case "Signing in from another site is not allowed.":
		return "不允许从其他网站登录。", true
	case "The X-CSRF-Token header must repeat the csrf cookie. Reload the page and try again.":
		return "请求头 X-CSRF-Token 与 csrf Cookie 不一致，请刷新页面后重试。", true
	case "The csrf cookie is missing. Reload the page and try again.":
		return "缺少 csrf Cookie，请刷新页面后重试。", true
	case "This needs the role %s; %s is %s.":
		return "此操作需要“%s”角色，%s 的角色是“%s”。", true
	case "There is no such API key.":
		return "没有这个 API 密钥。", true
	case "This API key does not exist or has expired.":
		return "API 密钥不存在或已过期。", true
	case "The Authorization header must be: Bearer wxs_…":
		return "请求头 Authorization 的格式应为：Bearer wxs_…", true
	case "An API key has no session. Delete the key to end its use.":
		return "API 密钥没有登录会话；要停止使用，请删除该密钥。", true
	case "An API key has no password.":
		return "API 密钥没有密码可改。", true
	case "A name has no control characters.":
		return "名称不能含控制字符。", true
	case "This time has passed already.":
		return "这个时间已经过去，请填写将来的时间。", true
	case "An Idempotency-Key is 1 to 200 printable ASCII characters.":
		return "Idempotency-Key 须为 1 至 200 个可见 ASCII 字符。", true
	case "This Idempotency-Key was used for another request. Take a new one.":
		return "这个 Idempotency-Key 已用于另一个请求，请换一个新的。", true
	case "The first call with this Idempotency-Key has not ended. Try again; if it stays so, look whether the call took effect before repeating it under a new key.":
		return "使用这个 Idempotency-Key 的首次请求尚未结束，请稍后重试；如果一直如此，请先确认该请求是否已经生效，再换新的 Idempotency-Key 重新发送。", true
	case "Another call with this Idempotency-Key is running. Try again.":
		return "使用这个 Idempotency-Key 的另一个请求正在处理，请稍后重试。", true
	case "This message has been handled. Only one that failed or waits can be handled again.":
		return "这条消息已处理，只有处理失败或等待重试的消息可以重新处理。", true
	case "This is not a cursor of this list; leave it out to start again.":
		return "分页游标无效，请去掉 cursor 从第一页开始。", true

	// authorize, the directory
	case "The parameter appid is not an appid.":
		return "参数 appid 不是有效的 appid。", true
	case "Name at most %d merchants at once, or use a filter.":
		return "一次最多指定 %d 个商户，更多时请使用筛选条件。", true
	case "Say which labels to add or to remove.":
		return "请填写要添加或移除的标签。", true
	case "The label %s is to be added and to be removed.":
		return "标签“%s”同时出现在添加和移除中。", true
	case "Name merchants by appids or by a filter, not by both.":
		return "请用 appids 或筛选条件之一指定商户，不要同时使用。", true
	case "Name merchants by appids or by a filter.":
		return "请用 appids 或筛选条件指定商户。", true
	case "A note has 1 to %d characters.":
		return "备注须为 1 至 %d 个字符。", true
	case "The file has more than %d MiB. Divide it.":
		return "文件超过 %d MiB，请拆分后再导入。", true
	case "The file is empty. Its first line names the columns, e.g. appid,biz_id,labels,ext.":
		return "文件是空的。第一行须为列名，例如 appid,biz_id,labels,ext。", true
	case "The first line of the file is not CSV: a quotation mark stands where it may not, or is not closed.":
		return "文件第一行不是合法的 CSV：引号的位置不对，或没有闭合。", true
	case "The column %s is there twice.":
		return "列“%s”出现了两次。", true
	case "The column appid is missing. The first line names the columns, e.g. appid,biz_id,labels,ext.":
		return "缺少 appid 列。第一行须为列名，例如 appid,biz_id,labels,ext。", true
	case "There is nothing to import: none of the columns biz_id, labels and ext is there.":
		return "没有可导入的内容：biz_id、labels、ext 三列都不存在。", true
	case "The appid is missing, or has spaces or control characters.":
		return "appid 为空，或含有空格、控制字符。", true
	case "The row has fewer cells than the first line.":
		return "该行的单元格数少于第一行。", true
	case "This is not CSV: a cell with quotation marks in it stands in quotation marks, and those in it are doubled. One that is never closed swallows all rows after it.":
		return "不是合法的 CSV：含引号的单元格须用引号括起，其中的引号须写两遍；没有闭合的引号会吞掉后面所有的行。", true
	case "The row has characters that are neither UTF-8 nor GB18030. Save the file as CSV UTF-8.":
		return "该行含有既不是 UTF-8 也不是 GB18030 的字符，请把文件另存为“CSV UTF-8”。", true
	case "A biz id has 1 to 128 characters, without control characters: %s":
		return "业务编号须为 1 至 128 个字符，不能含控制字符：%s", true

	// component
	case "The job that should handle this message ended early. Handle the message again.":
		return "处理这条消息的任务已提前结束，请重新处理。", true
	case "The parameter appid is missing.":
		return "缺少参数 appid。", true
	case "Only an administrator may change credentials.":
		return "只有管理员可以修改平台凭据。", true
	case "%s is set by the environment variable %s. Change it there.":
		return "%s 由环境变量 %s 设置，请在那里修改。", true
	case "The app secret must not be empty or contain spaces.":
		return "AppSecret 不能为空，也不能含空格。", true
	case "The message token has 3 to 32 letters or digits.":
		return "消息校验Token 须为 3 至 32 位字母或数字。", true
	case "The message AES key has exactly 43 letters or digits.":
		return "消息加解密Key 须为 43 位字母或数字。", true
	case "The name has at most 100 characters.":
		return "名称最多 100 个字符。", true
	case "The description has at most 1000 characters.":
		return "描述最多 1000 个字符。", true
	case "An entry is https://host[:port][/path prefix] without a query; there are at most 200.":
		return "每项须为 https://域名[:端口][/路径前缀]，不含参数，最多 200 项。", true
	case "The platform's AppSecret is not set. Enter it in the platform settings.":
		return "尚未设置第三方平台的 AppSecret，请在平台设置中填写。", true
	case "No ticket has come from WeChat yet. Check the callback address in the console, or restart the push on the platform page.":
		return "还没有收到微信推送的验证票据（ticket）。请检查微信开放平台中的授权事件接收URL，或在平台设置中重新启动推送。", true
	case "WeChat refused these domains: %s":
		return "微信拒绝了这些域名：%s", true
	case "A domain has no scheme and no path, for example api.example.com.":
		return "域名不带协议和路径，例如 api.example.com。", true
	case "A web-view domain has no port: WeChat takes it without one only.":
		return "业务域名不能带端口，微信只接受不带端口的域名。", true
	case "There are at most %d domains.":
		return "最多 %d 个域名。", true
	case "The return URL is not a plain http(s) address: %s.":
		return "返回地址不是合法的 http(s) 地址：%s。", true
	case "The return URL is not on the allowlist. Add its origin in the platform settings first.":
		return "返回地址不在跳转白名单内，请先在平台设置中加入它的来源。", true
	case "it has spaces, control characters or backslashes":
		return "含有空格、控制字符或反斜杠", true
	case "it does not begin with https:// or http://":
		return "没有以 https:// 或 http:// 开头", true
	case "the host is missing, or has user info or escapes":
		return "缺少域名，或域名部分含有用户信息或转义字符", true
	case "it cannot be read":
		return "无法解析", true
	case "the port is not a number from 1 to 65535":
		return "端口须为 1 至 65535", true
	case "the path has escaped control characters or backslashes":
		return "路径含有转义的控制字符或反斜杠", true
	case "the path has empty or dot segments":
		return "路径含有空段、“.”或“..”", true
	case "the host is missing":
		return "缺少域名", true
	case "the host is not a domain name":
		return "域名格式不正确", true

	// authorize
	case "Too many requests from your address. Try again in %d s.":
		return "来自您的网络地址的请求过多，请 %d 秒后再试。", true
	case "size is a number of pixels from %d to %d.":
		return "size 是像素数，须在 %d 到 %d 之间。", true
	case "The colour is # and six hexadecimal digits, e.g. #0052d9, or empty.":
		return "颜色须为 # 加六位十六进制数字，例如 #0052d9；留空则使用默认颜色。", true
	case "The logo is a data URL of a PNG or JPEG picture of at most %d KiB and %d × %d pixels.":
		return "徽标须为 PNG 或 JPEG 图片的 data URL，不超过 %d KiB 和 %d × %d 像素。", true
	case "There is no such authorization link.":
		return "没有这个授权链接。", true
	case "The authorization link is %s.":
		return "授权链接已不可用（%s）。", true
	case "The address has no usable auth_code.":
		return "地址中没有有效的授权码（auth_code）。", true
	case "Too many wrong authorization codes for this link. Try again in half a minute.":
		return "此链接收到的无效授权码过多，请半分钟后再试。", true
	case "There is no such merchant; it may never have authorized.":
		return "没有这个商户，它可能从未授权。", true
	case "This merchant has withdrawn its authorization. Make a new link and have the merchant authorize again.":
		return "该商户已取消授权，不能再代为调用。需要时请新建授权链接，请商户重新授权。", true
	case "kind is miniprogram, official, any, or WeChat's number of another kind: %s.":
		return "kind 须为 miniprogram、official、any，或微信对其他账号类型的编号：%s。", true
	case "appid is WeChat's id of the account, e.g. wx1234567890abcdef.":
		return "appid 是微信的账号编号，例如 wx1234567890abcdef。", true
	case "func_scopes are numbers of permission sets, e.g. [18, 30].":
		return "func_scopes 是权限集编号，例如 [18, 30]。", true
	case "return_url has at most %d characters.":
		return "return_url 最多 %d 个字符。", true
	case "ttl_seconds is between 1 and 31622400 (366 days).":
		return "ttl_seconds 须在 1 与 31622400（366 天）之间。", true
	case "biz_id is your own id of the merchant and must not be empty.":
		return "biz_id 是您自己系统里的商户编号，不能为空。", true
	case "biz_id has at most %d characters.":
		return "biz_id 最多 %d 个字符。", true
	case "biz_id must not hold control characters.":
		return "biz_id 不能含控制字符。", true
	case "A merchant has at most %d biz ids.":
		return "一个商户最多 %d 个业务编号。", true
	case "A merchant has at most %d labels.":
		return "一个商户最多 %d 个标签。", true
	case "A label has 1 to %d characters.":
		return "标签须为 1 至 %d 个字符。", true
	case `ext is a JSON object of at most 64 KiB, e.g. {"shop":"1"}.`:
		return `ext 须为 JSON 对象，不超过 64 KiB，例如 {"shop":"1"}。`, true
	case "%s: %s":
		return "%s：%s", true

	// codesubmit: refused requests
	case "There is nothing with the id %q.":
		return "没有编号为 %q 的对象。", true
	case "There is no template %q.":
		return "没有模板 %q。", true
	case "There is no draft %d; a new upload replaces a developer's last draft.":
		return "没有草稿 %d；同一开发者再次上传会覆盖他之前的草稿。", true
	case "WeChat took draft %d but does not list its template yet; reload the list in a moment.":
		return "微信已接受草稿 %d，但模板列表里还没有它，请稍后刷新列表。", true
	case "The template library has no such template; choose one from the list.":
		return "模板库中没有这个模板，请从列表中选择。", true
	case "There is no such rollout.":
		return "没有这个发布。", true
	case "There is no such submission.":
		return "没有这条提交记录。", true
	case "This picture is not here, or not fetched from WeChat yet.":
		return "没有这张截图，或尚未从微信取回。", true
	case "This is no state of a submission.":
		return "没有这个状态。", true
	case "This is no id of a rollout.":
		return "这不是发布的编号。", true
	case "No such action.":
		return "没有这个操作。", true
	case "A rollout that is %s cannot be paused.":
		return "状态为“%s”的发布不能暂停。", true
	case "A rollout that is %s cannot be resumed.":
		return "状态为“%s”的发布不能继续。", true
	case "A rollout that is %s cannot be canceled.":
		return "状态为“%s”的发布不能取消。", true
	case "Nothing to retry: no submission of this rollout is failed, blocked or rejected.":
		return "没有可重试的商户：此发布中没有失败、被阻塞或审核未通过的商户。", true
	case "A submission that is %s does not take the action %s.":
		return "当前状态为“%s”，不能执行“%s”。", true
	case "Submission %d of another rollout is under way for %s; cancel that one first.":
		return "另一个发布正在处理商户 %[2]s（提交记录 %[1]d），请先取消它。", true
	case "Version %s of a newer rollout is released for %s, and a retry would replace it by an older one. Make a new rollout if that is wanted.":
		return "更新的发布已为商户 %[2]s 发布版本 %[1]s，重试会把它换回旧版本。确需如此请新建发布。", true
	case "Version %s of another rollout is under way for them.":
		return "另一个发布正在为它们处理版本 %s。", true
	case "Version %s of a newer rollout is released for them, and a retry would replace it by an older one.":
		return "更新的发布已为它们发布版本 %s，重试会换回旧版本。", true
	case "Only a submission in audit can be sped up; this one is %s.":
		return "只有审核中的版本可以加急，当前状态为“%s”。", true
	case "1 to 64 characters are needed.":
		return "请填写 1 至 64 个字符。", true
	case "Name merchants: appids, labels, all or below_version.":
		return "请指定商户：appids、labels、all 或 below_version。", true
	case "ext_json.%s cannot be a JSON %s":
		return "ext_json.%s 的类型不能是 JSON %s", true
	case "ext_json.extAppid is %s, the merchant is %s":
		return "ext_json.extAppid 是 %s，而商户是 %s", true
	case "ext_json.pages is empty":
		return "ext_json.pages 为空", true
	case "the template has no page %s":
		return "模板中没有页面 %s", true
	case "a tab of ext_json.tabBar has no pagePath":
		return "ext_json.tabBar 中有标签没有 pagePath", true
	case "a tab of ext_json.tabBar leads to %s, which is none of the pages":
		return "ext_json.tabBar 中的标签指向 %s，但页面列表中没有它", true
	case "ext_json.requiredPrivateInfos cannot have both %s and %s":
		return "ext_json.requiredPrivateInfos 不能同时包含 %s 和 %s", true
	case "There is no such preflight; they are kept for a day.":
		return "没有这次预检；预检结果保留一天。", true
	case "the mini program is live and its service is suspended":
		return "小程序已上线，但服务已暂停", true
	case "WeChat takes no token of this merchant any more":
		return "微信已不接受该商户的令牌，需要重新授权", true
	case "A profile needs a name.":
		return "请填写名称。", true
	case "There is a profile named %s already.":
		return "名称 %s 已被使用。", true
	case "There is no such profile.":
		return "没有这个配置，可能已被删除。", true
	case "The library is full: WeChat keeps %d templates. Delete some that nobody uses.":
		return "模板库已满：微信最多保留 %d 个模板。请先删除不再使用的模板。", true
	case "There is no template %d in the library.":
		return "模板库中没有模板 %d。", true
	case "%d rollouts under way use template %d: %s. Wait for them, cancel them, or delete it with force: then their merchants without the code fail.":
		return "有 %d 个进行中的发布单在使用模板 %d：%s。请等待其结束、取消它们，或强制删除；强制删除后，其中尚未上传代码的商户会失败。", true
	case "WeChat did not take it. It needs an ICP filing; IP addresses, localhost and api.weixin.qq.com are not allowed.":
		return "微信没有接受该域名。域名需要完成 ICP 备案；不能是 IP 地址、localhost 或 api.weixin.qq.com。", true
	case "WeChat did not take it. It needs an ICP filing and no port, and https://%s/%s must answer with the confirm file.":
		return "微信没有接受该域名。域名需要完成 ICP 备案、不能带端口，并且 https://%s/%s 必须能返回校验文件。", true
	case "These merchants are not on record: %s.":
		return "没有登记这些商户：%s。", true
	case "No merchant matches these targets.":
		return "没有符合条件的商户。", true
	case `Not a cron expression of five fields (minute hour day month weekday), such as "* 2-5 * * *".`:
		return `不是五段式 cron 表达式（分 时 日 月 星期），例如 "* 2-5 * * *"。`, true
	case "%d of %d finished merchants failed or were rejected, more than %d percent":
		return "已结束的商户中有 %d 个（共 %d 个）失败或被驳回，超过百分之 %d", true
	case "%d of %d canaries are blocked: %s. The other %d merchants wait.":
		return "先行商户中有 %d 个（共 %d 个）被阻塞：%s。其余 %d 个商户在等它们。", true
	case "No blocked canary holds this rollout.":
		return "没有被阻塞的先行商户挡住这个发布。", true
	case "Rollout held by its canaries: %s":
		return "发布被先行商户挡住：%s", true
	case "Mend them and retry, or go on without them on the rollout's page.":
		return "请处理后重试，或在发布页面上选择不等它们继续。", true
	case "%d merchants are too many to wait for. Start this preflight in the background (rollback/preflights).":
		return "%d 个商户太多，无法等待结果。请在后台预检（rollback/preflights）。", true
	case "This preflight is not about a rollback of this rollout.":
		return "这个预检不是针对该发布的回滚。", true
	case "This preflight has not finished yet.":
		return "预检还没有结束。", true
	case "Nothing to roll back: no merchant can go back.":
		return "没有可回滚的：没有商户可以回退。", true
	case "canary %s is %s":
		return "先行商户 %s 的状态是%s", true
	case "A rollout that is %s cannot be changed.":
		return "%s的发布单不能修改。", true
	case "This rollout has started already; its start time cannot be changed.":
		return "该发布单已经开始，不能再修改开始时间。", true
	case "WeChat wants at least one contact: e-mail, phone, QQ or WeChat id.":
		return "请至少填写一种联系方式：邮箱、电话、QQ 或微信号。", true
	case "WeChat wants the way users are told of changes, such as 弹窗.":
		return "请填写更新通知方式，例如：弹窗。", true
	case "WeChat takes at most 200 domains of a kind.":
		return "每类域名最多 200 个。", true
	case "A domain here is %shost[:port] without path.":
		return "此处的域名格式为 %s域名[:端口]，不带路径。", true
	case "ext_json must be a JSON object":
		return "ext_json 须为 JSON 对象", true
	case "ext_json.ext must be an object":
		return "ext_json.ext 须为对象", true
	case "something follows the object of ext_json":
		return "ext_json 的对象后面还有多余内容", true
	case "the merchant's own ext is no JSON object":
		return "商户自己的 ext 不是 JSON 对象", true
	case "ext_json uses {{biz_id}}, but this merchant has no business id":
		return "ext_json 用到 {{biz_id}}，但该商户没有业务编号", true
	case "ext_json uses {{label}}, but this merchant has no label":
		return "ext_json 用到 {{label}}，但该商户没有标签", true
	case "ext_json uses the unknown placeholder %s; known are {{%s}}":
		return "ext_json 中有不认识的占位符 %s，可用的有 {{%s}}", true
	case "ext_json has a placeholder that is not closed: %q":
		return "ext_json 中有未闭合的占位符：%q", true

	// codesubmit: audits
	case "WeChat lets a mini program take back %d audits a month, and they are used up. The audit goes on.":
		return "微信允许每个小程序每月撤回 %d 次审核，本月已用完，审核会继续进行。", true
	case "WeChat lets a mini program take back %d audits a day, and today's are used up. Try again tomorrow (China time), or let the audit go on.":
		return "微信允许每个小程序每天撤回 %d 次审核，今天已用完。请明天（北京时间）再试，或让审核继续进行。", true
	case "A submission that is %s cannot be submitted to the reviewers again.":
		return "处于「%s」的提交不能重新提交审核。", true
	case "This submission has just changed its state. Look again.":
		return "该提交的状态刚刚发生变化，请刷新后再试。", true
	case "There is no uploaded file with the id %q.":
		return "没有编号为 %q 的已上传文件。", true
	case "The file %q is of another type than is wanted here.":
		return "文件 %q 的类型不符合此处要求。", true
	case "The file is empty.":
		return "文件是空的。", true
	case "The picture is damaged.":
		return "图片已损坏。", true
	case "A picture has at most %d MB.":
		return "图片不能超过 %d MB。", true
	case "A video has at most %d MB.":
		return "视频不能超过 %d MB。", true
	case "WeChat's reviewers take pictures (PNG, JPEG, GIF) and videos (MP4).":
		return "微信审核只接受图片（PNG、JPEG、GIF）和视频（MP4）。", true
	case "A category needs first_class, second_class, first_id and second_id, as WeChat lists them for the merchant.":
		return "类目需要 first_class、second_class、first_id 和 second_id，取值以微信为该商户列出的为准。", true
	case "Tags are separated by spaces: at most 10, of at most 20 characters each.":
		return "标签以空格分隔，最多 10 个，每个最多 20 个字符。", true
	case "A title has at most 32 characters.":
		return "标题最多 32 个字符。", true
	case "A page is written without a slash in front and without a query, such as pages/index/index.":
		return "页面路径开头不带斜杠，也不带参数，例如 pages/index/index。", true
	case "Name where users publish: 1 profile, 2 pictures, 3 videos, 4 text, 5 audio, or 0 alone for nowhere.":
		return "请填写用户发布内容的场景：1 用户资料、2 图片、3 视频、4 文本、5 音频；没有则只填 0。", true
	case "Name how it is checked: 1 WeChat's security interfaces, 2 another product, 3 people, 4 not at all.":
		return "请填写审核方式：1 微信内容安全接口、2 其他产品、3 人工、4 未做审核。", true
	case "This is 0 or 1.":
		return "此项只能是 0 或 1。", true
	case "Descriptions here have at most 256 characters.":
		return "此处的说明最多 256 个字符。", true

	// codesubmit: what stands in the way, and the timeline
	case "the merchant does not have %s":
		return "商户没有类目 %s", true
	case "the trial version is %s, not ours":
		return "体验版是 %s，不是本次提交的版本", true
	case "waits until other files are uploaded":
		return "等待其他文件上传完成", true
	case "%s; %s":
		return "%s；%s", true
	case "paused by %s":
		return "由 %s 暂停", true
	case "authorization withdrawn":
		return "已取消授权", true
	case "the merchant withdrew its authorization":
		return "商户取消了授权", true
	case "merchant is not on record":
		return "没有登记该商户", true
	case "kind is %s":
		return "账号类型为 %s", true
	case "permission set 18 is not granted":
		return "没有授予权限集 18", true
	case "name, avatar or introduction is empty":
		return "名称、头像或简介未设置", true
	case "ICP filing status is %d, 6 is wanted":
		return "备案状态为 %d，须为 6（已备案）", true
	case "no approved category":
		return "没有已通过审核的类目", true
	case "audit %d of version %s is under way":
		return "版本 %[2]s 正在审核中（审核单 %[1]d）", true
	case "The provider's audit quota is used up, or the rest is for merchants that have begun. Others wait until %s (China time), or until WeChat grants more.":
		return "服务商的提审额度已用完，或余下的已留给进行中的商户，其他商户将等到 %s（北京时间）或微信增加额度。", true
	case "WeChat takes no more calls of a kind for now. Merchants wait until %s (China time).":
		return "微信暂时不再接受某类调用，商户将等到 %s（北京时间）。", true
	case "WeChat takes no more of these calls for now":
		return "微信暂时不再接受这类调用", true
	case "%d of %d submissions of this month are left":
		return "本月提审额度剩余 %d 次，共 %d 次", true
	case "%d of %d submissions of this month were left, %d of them for merchants that have begun":
		return "当时本月提审额度剩余 %d 次，共 %d 次，其中 %d 次留给进行中的商户", true
	case "waits for submission %d":
		return "等待提交记录 %d 结束", true
	case "by rollout %d":
		return "被发布 %d 取代", true
	case "no transition from %s to %s":
		return "不能从“%s”转到“%s”", true
	case "domains stay as they are":
		return "域名保持不变", true
	case "domains are as wanted already":
		return "域名已符合要求", true
	case "found as trial version after an answer was lost":
		return "没有收到应答，但已在体验版中找到本次代码", true
	case "outcome unknown, reading back":
		return "结果未知，正在核实", true
	case "the call did nothing, it is made again":
		return "该调用没有生效，将再次调用", true
	case "WeChat does not take the audit back; it goes on there, and the version is not released":
		return "微信不允许撤回该审核；审核会继续进行，通过后不会发布", true
	case "declared as not used":
		return "已声明未使用隐私接口", true
	case "without permission: %s; not declared: %s":
		return "没有权限：%s；未声明：%s", true
	case "the trial version is not ours":
		return "体验版不是本次提交的版本", true
	case "guideline is complete already":
		return "用户隐私保护指引已完整", true
	case "found in audit after an answer was lost":
		return "没有收到应答，但已在审核中找到本次版本", true
	case "the release window never opens":
		return "发布时间窗口永远不会打开", true
	case "waits for the release window":
		return "等待发布时间窗口", true
	case "released in WeChat's console":
		return "已在微信公众平台发布", true
	case "the approved version was withdrawn":
		return "审核通过的版本已被撤回", true
	case "WeChat's latest audit is of version %s, not ours":
		return "微信最近一次审核的是版本 %s，不是本次版本", true
	case "release sent, live version is not ours yet":
		return "已请求发布，线上还不是本次版本", true
	case "the live version is not ours":
		return "线上不是本次版本", true
	case "accepted, not live yet":
		return "微信已接受发布，尚未上线", true
	case "not effective yet: %s":
		return "尚未生效：%s", true

	// internal/outbound, component/forward
	case "Enter a full address, e.g. https://shop.example.com/wechat":
		return "请填写完整地址，例如 https://shop.example.com/wechat", true
	case "An address holds no user name and no password.":
		return "地址中不能含用户名和密码。", true
	case "An address holds no part behind #.":
		return "地址中不能含 # 及其后的部分。", true
	case "A port is a number from 1 to 65535.":
		return "端口须为 1 至 65535 的数字。", true
	case "%s is at %s, which may not be called: link-local and metadata addresses never, private ones only with ALLOW_PRIVATE_TARGETS=true.":
		return "%s 的地址是 %s，不允许访问：链路本地地址和云元数据地址一律禁止，内网地址仅在设置 ALLOW_PRIVATE_TARGETS=true 后允许。", true
	case "The target answered with status %s.":
		return "目标返回了状态码 %s。", true
	case "The target answered with a redirect (%s), which is not followed: enter the final address in the rule.":
		return "目标返回了重定向（%s），我们不会跟随，请在规则中填写最终地址。", true
	case "The target did not answer within %s ms.":
		return "目标在 %s 毫秒内没有应答。", true
	case "The target refuses connections: is it running, and is the port right?":
		return "目标拒绝连接，请确认服务已启动且端口正确。", true
	case "The name %s does not resolve.":
		return "域名 %s 无法解析。", true
	case "No trusted TLS connection to the target: %s":
		return "无法与目标建立可信的 TLS 连接：%s", true
	case "The target is at %s now, which may not be called.":
		return "目标现在的地址是 %s，不允许访问。", true
	case "The answer is longer than %s bytes.":
		return "应答超过 %s 字节。", true
	case "The message is no longer there: it is past its retention.":
		return "消息已超过保留期限，不再保存。", true
	case "The rule relays now, and delivers nothing: what waited was given up.":
		return "规则已改为 relay，不再投递：等待中的投递已放弃。", true
	case "The message cannot be written as %s.":
		return "消息无法转换为 %s。", true
	case "The address of the rule does not work with the appid of this message.":
		return "规则的地址代入这条消息的 appid 后无法使用。", true
	case "The connection to the target broke off: %s":
		return "与目标的连接中断：%s", true
	case "No enabled rule delivers messages like this one. Make or enable one first.":
		return "没有已启用的规则投递这类消息，请先新建或启用规则。", true
	case "A name has 1 to %d characters, none of them control characters.":
		return "名称须为 1 至 %d 个字符，且不能含控制字符。", true
	case "Only messages of the channel biz can be relayed: WeChat takes no reply to authorization events.":
		return "只有 biz（消息与事件）通道的消息可以用 relay 转发：微信不接受对授权事件的回复。", true
	case "Messages of the channel component have only an info_type, so this rule would match none.":
		return "component（授权事件）通道的消息只有 info_type，这条规则不会匹配任何消息。", true
	case "Messages of the channel biz have no info_type, so this rule would match none.":
		return "biz（消息与事件）通道的消息没有 info_type，这条规则不会匹配任何消息。", true
	case "A kind of message has at most %d characters.":
		return "消息类型最多 %d 个字符。", true
	case "An appid is not empty and has no spaces.":
		return "appid 不能为空，也不能含空格。", true
	case "A rule lists at most %d appids.":
		return "一条规则最多列出 %d 个 appid。", true
	case "A time-out is 1 to %d ms.":
		return "超时须为 1 至 %d 毫秒。", true
	case "$APPID$ may stand in the path or behind the question mark, not in the host.":
		return "$APPID$ 只能出现在路径或问号之后，不能出现在主机名中。", true
	case "There are %d rules already, and no more than that are possible. Delete some first.":
		return "已有 %d 条规则，达到上限，请先删除一些。", true
	case "The rule of this delivery is switched off or paused. Enable it first.":
		return "这条投递的规则已停用或已暂停，请先启用规则。", true
	case "The rule of this delivery relays now, and delivers nothing. Change its mode first.":
		return "这条投递的规则已改为 relay，不再投递，请先修改规则的模式。", true
	case "There is no such forward rule.":
		return "没有这条转发规则。", true
	case "The secret of this rule cannot be opened with the present MASTER_KEY. Rotate it.":
		return "用当前的 MASTER_KEY 无法解密这条规则的密钥，请重新生成密钥。", true
	case "There is no such delivery.":
		return "没有这条投递记录。", true
	case "Paused by itself: the target has taken nothing since %s. Mend the target, then enable the rule; what waits is sent then.":
		return "已自动暂停：目标自 %s 起一直没有成功接收。请修复目标后启用规则，等待中的消息会随即投递。", true
	case "This is no id.":
		return "这不是有效的 ID。", true

	// authorize/miniapp
	case "The body must be a JSON object.":
		return "请求体须为 JSON 对象。", true
	case "Name the mini program that calls.":
		return "请填写发起调用的小程序的 AppID。", true
	case "Send the code that wx.login gave.":
		return "请传入 wx.login 得到的 code。", true
	case "Nobody is known behind this call. Sign in with wx.login and POST /miniapp/login.":
		return "无法识别这次调用的用户，请先调用 wx.login，再用 POST /miniapp/login 登录。", true
	case "This mini program has not authorized the platform.":
		return "该小程序没有授权给本平台。", true
	case "The session is over or not valid. Sign in again with wx.login and POST /miniapp/login.":
		return "登录已过期或无效，请重新调用 wx.login，再用 POST /miniapp/login 登录。", true
	case "This code is wrong, used or older than five minutes. Call wx.login again.":
		return "该 code 有误、已使用或超过五分钟，请重新调用 wx.login。", true
	case "Send either code or cloud_id, as the phone number button gave it.":
		return "请传入获取手机号按钮给出的 code 或 cloud_id，二者择一。", true
	case "WeChat reads a cloud_id only in WeChat Cloud Run, and not with WX_COMPONENT_TRANSPORT=token. Send code instead.":
		return "微信只在微信云托管中、且 WX_COMPONENT_TRANSPORT 不是 token 时才能解析 cloud_id，请改为传入 code。", true
	case "WeChat gives no phone number for this; it is wrong, used or older than five minutes. Let the user press the button again.":
		return "微信没有给出手机号：凭证有误、已使用或超过五分钟，请让用户再点一次按钮。", true

	// authorize/profile, authorize/turn
	case "A rollout or another operator is at work on this merchant. Try again in a moment.":
		return "有发布单或其他操作员正在处理该商户，请稍后再试。", true
	case "Enter a text of 1 to %d characters, without control characters.":
		return "请填写 1 至 %d 个字符，不含控制字符。", true
	case "The picture is a PNG, JPEG or GIF of at most 2 MB.":
		return "图片须为不超过 2 MB 的 PNG、JPEG 或 GIF。", true
	case "A crop is four numbers from 0 to 1: left, top, right, bottom.":
		return "裁剪范围为四个 0 到 1 之间的数：左、上、右、下。", true
	case "Choose a category of the second level.":
		return "请选择二级类目。", true
	case "Each certificate has a name and an uploaded picture.":
		return "每项资质都要有名称和已上传的图片。", true
	case "Say in 1 to %d characters what the interface is for.":
		return "请用 1 至 %d 个字符说明接口的用途。", true
	case "Show WeChat what it is for: pages, pictures or a video, at least one.":
		return "请提供页面、图片或视频中的至少一项，说明使用场景。", true
	case "There may be %d pictures.":
		return "图片最多 %d 张。", true
	case "There may be one video, in MP4.":
		return "视频最多一个，须为 MP4。", true
	case "WeChat has such a change of this merchant already. Wait until it is decided.":
		return "该商户已有同类修改在微信审核，请等待结果。", true
	case "A path may have %d characters.":
		return "路径最长 %d 个字符。", true
	case "The width is %d to %d pixels.":
		return "宽度为 %d 至 %d 像素。", true
	case "Only codes of the released version have a scene.":
		return "只有线上版的小程序码可以带 scene。", true
	case "A scene has at most %d visible ASCII characters.":
		return "scene 最长 %d 个可见英文字符。", true
	case "With a scene the path has no query; put it into the scene.":
		return "使用 scene 时路径不能带参数，请把参数放进 scene。", true
	case "For the released version name a page, or a scene.":
		return "线上版的小程序码须填写页面路径或 scene。", true
	case "Enter the user's WeChat id, as its owner sees it in WeChat under Me.":
		return "请填写用户的微信号（用户可在微信“我”的页面查看）。", true

	// authorize/register
	case "There is no kind of registration %q.":
		return "没有 %q 这种注册方式。", true
	case "Name the trial mini program.":
		return "请填写要转正的试用小程序的 AppID。", true
	case "Name the official account.":
		return "请填写公众号的 AppID。", true
	case "Name the mini program.":
		return "请填写小程序的 AppID。", true
	case "This merchant is no official account.":
		return "该商户不是公众号。", true
	case "This merchant is no mini program.":
		return "该商户不是小程序。", true
	case "WeChat did not carry the official account's verification over; the mini program has to be verified by itself.":
		return "微信没有把公众号的认证沿用到小程序，小程序需要另行认证。", true
	case "WeChat did not link the mini program to the official account; the merchant can do so in WeChat's console.":
		return "微信没有把小程序关联到公众号，商户可以在微信公众平台自行关联。", true
	case "WeChat's answer was lost. Whether the mini program was made is being looked up in WeChat's list of merchants.":
		return "没有收到微信的答复，正在从微信的已授权账号列表确认小程序是否已经创建。", true
	case "The last attempt came to nothing that shows. Have the administrator open the address once more.":
		return "上一次没有看到结果，请管理员重新打开地址再确认一次。", true
	case "WeChat's answer was lost, and WeChat does not tell who the administrator is. Ask the merchant whether the new one can sign in; if not, try again.":
		return "没有收到微信的答复，而微信不提供管理员的查询。请向商户确认新的管理员能否登录；如果不能，请重试。", true
	case "WeChat gives the appid of a new mini program.":
		return "新小程序的 AppID 由微信分配，无需填写。", true
	case "Registration %s of the same owner is open. Wait for its end or cancel it.":
		return "同一主体的注册任务 %s 正在进行，请等它结束或先取消。", true
	case "There is no such registration.":
		return "没有这个注册任务。", true
	case "Only a registration that has come to nothing can be tried again; this one is %s.":
		return "只有未成功的注册任务才能重试，当前状态为 %s。", true
	case "Another registration of the same owner is open.":
		return "同一主体已有另一个注册任务正在进行。", true
	case "This registration has its merchant already.":
		return "该注册任务已有对应的商户。", true
	case "This merchant has come of another registration.":
		return "该商户属于另一个注册任务。", true
	case "Nothing is to be confirmed here; the registration is %s.":
		return "该注册任务无需确认，当前状态为 %s。", true
	case "A path is like wxa/component/fastregisterpersonalweapp; actions are words.":
		return "路径的格式如 wxa/component/fastregisterpersonalweapp，action 只能是单词。", true
	case "This kind of registration needs it.":
		return "这种注册方式需要填写此项。", true
	case "WeChat takes only the 18-digit unified social credit code (统一社会信用代码).":
		return "微信只接受 18 位统一社会信用代码。", true
	case "Enter a phone number.":
		return "请填写电话号码。", true
	case "The name of a trial mini program has 4 to 30 letters; a Chinese character counts as two.":
		return "试用小程序的名称为 4 至 30 个字符，一个汉字算两个字符。", true
	case "Waits for the owner to open the address.":
		return "等待主体打开链接确认。", true
	case "Nobody confirmed within 24 hours. Try again and have the owner confirm in time.":
		return "24 小时内无人确认，请重试，并提醒主体及时确认。", true
	case "The owner has refused.":
		return "主体已拒绝。", true
	case "The owner has agreed.":
		return "主体已同意。", true
	case "The face check has begun.":
		return "已发起人脸核身。", true
	case "The face check failed; the owner can open the address again.":
		return "人脸核身未通过，主体可以再次打开链接。", true
	case "The face check is passed.":
		return "人脸核身已通过。", true
	case "A code was sent to the owner's phone.":
		return "已向主体的手机发送验证码。", true
	case "The phone check failed; the owner can open the address again.":
		return "手机验证未通过，主体可以再次打开链接。", true
	case "The phone check is passed.":
		return "手机验证已通过。", true
	case "WeChat has the data and is checking them.":
		return "资料已提交，微信正在核验。", true
	case "WeChat did not create the mini program. Try again; if it goes on, ask WeChat.":
		return "微信没有创建小程序，请重试；若持续出现，请联系微信。", true
	case "The mini program is created.":
		return "小程序已创建。", true
	case "The mini program is created and verified.":
		return "小程序已创建并完成验证。", true
	case "The verification failed. Check the owner's data and try again.":
		return "验证未通过，请核对主体资料后重试。", true
	case "The names of company and legal person do not agree. Correct them and try again.":
		return "企业与法人姓名不一致，请更正后重试。", true
	case "The company is deregistered.":
		return "该企业已注销。", true
	case "The company does not exist, or its data are not up to date yet.":
		return "该企业不存在，或工商信息尚未更新。", true
	case "Name or identity card of the legal person do not agree with the register. Correct them and try again.":
		return "法人姓名或身份证号码与工商登记不一致，请更正后重试。", true
	case "The register does not have the identity card yet. Try again in 5 to 15 working days.":
		return "工商登记中还没有该身份证信息，请 5 至 15 个工作日后重试。", true
	case "The data of company or legal person do not agree with the register. Correct them and try again.":
		return "企业或法人信息与工商登记不一致，请更正后重试。", true
	case "The owner has as many mini programs as allowed. It must close one first.":
		return "该主体的小程序数量已达上限，请先注销一个。", true
	case "WeChat has put the owner, administrator or phone number on its black list. Use another, or ask WeChat.":
		return "主体、管理员或手机号因违规在微信的黑名单中，请更换或联系微信。", true
	case "The administrator is bound to as many accounts as allowed. Choose another administrator.":
		return "管理员绑定的账号数量已达上限，请更换管理员。", true
	case "The administrator's phone is bound to as many accounts as allowed. Use another phone number.":
		return "管理员手机绑定的账号数量已达上限，请更换手机号。", true
	case "The administrator's identity card has registered as many accounts as allowed. Choose another administrator.":
		return "管理员身份证注册的账号数量已达上限，请更换管理员。", true
	// codesubmit: gray releases, rollbacks, calls by hand
	case "WeChat's answer was lost, and what it shows has not changed so far. Look at the versions again in a minute before you repeat this.":
		return "没有收到微信的应答，目前也看不到变化。请一分钟后再查看版本，确认后再决定是否重做。", true
	case "WeChat cannot go back to this version. It keeps: %s.":
		return "微信不能回退到这个版本。可回退的版本：%s。", true
	case "There is no approved version to release. Submit one and wait for WeChat's approval first.":
		return "没有审核通过、可以发布的版本。请先提交审核并等待通过。", true
	case "%d percent of the users have it already; only a larger percentage is possible. Cancel the gray release to take it back.":
		return "已有 百分之 %d 的用户灰度到该版本，比例只能调大。要收回请取消分阶段发布。", true
	case "No gray release is under way.":
		return "当前没有进行中的分阶段发布。", true
	case "No version submitted through this platform is in audit, so there is nothing to take back.":
		return "没有通过本平台提交、正在审核的版本，无需撤回。", true
	case "Each step is a percentage from 1 to 100 and larger than the one before it.":
		return "每一步的比例是 1 到 100 的整数，且必须比前一步大。", true
	case "This is no length of time above zero, such as 30m or 2h.":
		return "请填写大于零的时长，例如 30m 或 2h。", true
	case "An interval has a meaning only with steps in gray.":
		return "只有填写了分阶段比例，间隔才有意义。", true
	case "the gray release of an older version is canceled first":
		return "先取消旧版本的分阶段发布", true
	case "%d percent of the users have it":
		return "已有 百分之 %d 的用户使用该版本", true
	case "at %d percent, paused in WeChat's console":
		return "灰度到 百分之 %d，已在微信后台暂停", true
	case "WeChat's gray release does not show %d percent":
		return "微信的分阶段发布没有显示 百分之 %d", true
	case "accepted, not seen yet":
		return "微信已接受，尚未显示", true
	case "the gray release is finished, the live version is not ours yet":
		return "分阶段发布已完成，线上版本尚未显示为本次版本", true
	case "the gray release was ended at %d percent, not by this rollout":
		return "分阶段发布在 百分之 %d 时被终止，不是本次发布操作的", true
	case "the gray release is canceled; all users have the version before it":
		return "已取消分阶段发布，所有用户都回到之前的版本", true
	case "by rollout %d; %d percent of the users keep this version until the newer one is released":
		return "被发布单 %d 取代；在新版本发布之前，仍有 百分之 %d 的用户使用该版本", true
	case "from version %s back to %s":
		return "从版本 %s 回退到 %s", true
	case "WeChat does not tell the live version":
		return "微信没有返回线上版本", true
	case "version %s is live again":
		return "版本 %s 已重新上线", true
	case "the live version is still %s":
		return "线上版本仍是 %s", true
	case "nothing is live":
		return "没有线上版本", true
	case "version %s is live, not %s of this rollout":
		return "线上版本是 %s，不是本次发布的 %s", true
	case "the rollout to take back is gone":
		return "要回退的发布单已不存在", true
	case "a gray release to %d percent is under way":
		return "正在分阶段发布，已到 百分之 %d", true
	case "WeChat keeps no earlier version":
		return "微信没有保留更早的版本", true
	case "Rollback of %s":
		return "回退：%s", true
	case "This is a rollback itself. Release a version instead.":
		return "这本身就是一次回退。请改为发布一个版本。", true
	case "Nothing to roll back: no merchant of this rollout is released.":
		return "没有可回退的商户：该发布单还没有发布成功的商户。", true
	case "This rollout has not released for these merchants: %s.":
		return "该发布单没有为这些商户发布过：%s。", true
	case "We think version %s is the trial version; WeChat shows none.":
		return "按我们的记录体验版是 %s；微信没有体验版。", true
	case "We think version %s of ours is the trial version; WeChat has version %s of somebody else.":
		return "按我们的记录体验版是我们提交的 %s；微信的体验版是他人提交的 %s。", true
	case "We think version %s was submitted last; WeChat knows of no audit.":
		return "按我们的记录最近提审的是 %s；微信没有审核记录。", true
	case "We think audit %s of version %s is the last; WeChat has audit %s of version %s.":
		return "按我们的记录最近的审核单是 %s（版本 %s）；微信的是 %s（版本 %s）。", true
	case "We think audit %s is %s; WeChat says %s.":
		return "按我们的记录审核单 %s 的状态是%s；微信的是%s。", true
	case "We think version %s is live; WeChat shows none.":
		return "按我们的记录线上版本是 %s；微信没有线上版本。", true
	case "We think version %s of ours is live; WeChat has version %s.":
		return "按我们的记录线上版本是我们发布的 %s；微信的是 %s。", true
	case "We think %d percent of the users have version %s; WeChat shows no gray release.":
		return "按我们的记录已有 百分之 %d 的用户使用 %s；微信没有进行中的分阶段发布。", true
	case "A gray release to %d percent is under way that no rollout of ours follows.":
		return "正在分阶段发布（百分之 %d），没有对应的发布单。", true
	case "We think %d percent of the users have version %s; WeChat says %d.":
		return "按我们的记录已有 百分之 %d 的用户使用 %s；微信显示为 百分之 %d。", true
	case "The live version wants domains that do not work for users: %s.":
		return "线上版本需要的这些域名对用户不生效：%s。", true
	case "The privacy guideline has no text for: %s.":
		return "隐私保护指引缺少这些项目的说明：%s。", true
	case "There is an environment with the alias %s already: %s.":
		return "已有别名为 %s 的云环境：%s。", true
	case "Somebody else is making an environment. Try again in a moment.":
		return "其他人正在创建云环境，请稍后重试。", true
	case "Somebody else has changed this setting meanwhile. Read it again.":
		return "该设置已被其他人修改，请重新读取。", true
	case "Say which environment the messages go to.":
		return "请填写消息要推送到的云环境。", true
	case "The shares must add up to 100.":
		return "各版本的流量比例合计必须为 100。", true
	case "A share is 0 to 100.":
		return "流量比例为 0 到 100。", true
	case "WeChat did not divide the calls: %s":
		return "微信没有调整流量：%s", true
	case "WeChat did not release version %s. Look at it in the console.":
		return "微信没有发布版本 %s，请到控制台查看。", true
	case "A path begins with a slash, e.g. /wxcallback/biz.":
		return "路径以斜杠开头，例如 /wxcallback/biz。", true
	case "Name 1 to %d merchants.":
		return "请填写 1 至 %d 个商户。", true
	case "This merchant is not on record.":
		return "没有这个商户的记录。", true
	case "This merchant has withdrawn its authorization.":
		return "该商户已取消授权。", true
	case "This is no mini program.":
		return "该账号不是小程序。", true
	case "WeChat lets the mini programs of one principal use an environment; these would be of: %s.":
		return "微信只允许同一主体的小程序使用同一个云环境，而这些小程序属于：%s。", true
	case "The mini program uses this environment already.":
		return "该小程序已在使用这个云环境。", true
	case "Nothing is to be confirmed here; the offer is %s.":
		return "这里没有需要确认的内容：该共享的状态是 %s。", true
	}
	return "", false
}
