import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '../api/client';
import { merchantDomainsQuery, webviewDomainsQuery } from '../api/operations';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { QueryView } from '../components/QueryView';
import { useCan } from '../components/session';
import { TextArea } from '../components/TextArea';
import { toast } from '../components/toast';
import { useSaving } from '../components/useSaving';
import { type DomainKind, domainKinds } from '../logic/rollout';
import { splitList } from '../logic/text';

const serverKinds = domainKinds.filter((k) => k !== 'webview');
const examples: Record<DomainKind, string> = {
  request: 'https://api.example.com',
  ws_request: 'wss://api.example.com',
  upload: 'https://upload.example.com',
  download: 'https://cdn.example.com',
  udp: 'udp://udp.example.com',
  tcp: 'tcp://tcp.example.com',
  webview: 'https://m.example.com',
};

type Lists = Partial<Record<DomainKind, string[] | null>>;

function Names({ lists, kinds }: { lists: Lists | null | undefined; kinds: readonly DomainKind[] }) {
  const { t } = useTranslation();
  const filled = kinds.filter((k) => (lists?.[k]?.length ?? 0) > 0);
  if (filled.length === 0) return <span className="faint">{t('byhand.empty')}</span>;
  return (
    <dl className="domainlists">
      {filled.map((k) => (
        <div key={k}>
          <dt>{t(`byhand.kinds.${k}`)}</dt>
          <dd>
            {(lists?.[k] ?? []).map((name) => (
              <code key={name}>{name}</code>
            ))}
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface EditProps {
  kinds: readonly DomainKind[];
  now: Lists;
  save: (lists: Record<string, string[]>) => Promise<void>;
  onClose: () => void;
}

function Edit({ kinds, now, save, onClose }: EditProps) {
  const { t } = useTranslation();
  const [text, setText] = useState(() => Object.fromEntries(kinds.map((k) => [k, (now[k] ?? []).join('\n')])));
  const { busy, error, run } = useSaving();

  async function submit() {
    await run(async () => {
      await save(Object.fromEntries(kinds.map((k) => [k, splitList(text[k] ?? '')])));
      toast.success(t('common.saved'));
      onClose();
    });
  }

  return (
    <form
      className="form"
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
    >
      {kinds.map((k) => (
        <Field
          key={k}
          name={`domains-${k}`}
          label={t(`byhand.kinds.${k}`)}
          hint={t('byhand.onePerLine', { example: examples[k] })}
        >
          <TextArea code rows={2} value={text[k] ?? ''} onChange={(v) => setText((old) => ({ ...old, [k]: v }))} />
        </Field>
      ))}
      {error !== null && <ProblemPanel error={error} />}
      <div className="buttons">
        <Button type="submit" loading={busy} data-testid="save-domains">
          {t('byhand.saveDomains')}
        </Button>
        <Button variant="outline" theme="default" onClick={onClose}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}

function Show(props: {
  set: Lists;
  effective: Lists | null;
  kinds: readonly DomainKind[];
  onEdit: () => void;
  testId: string;
}) {
  const { t } = useTranslation();
  const may = useCan('operator');
  return (
    <div className="stack">
      <div className="pairwise">
        <div>
          <h3>{t('byhand.set')}</h3>
          <Names lists={props.set} kinds={props.kinds} />
        </div>
        <div>
          <h3>{t('byhand.effective')}</h3>
          <Names lists={props.effective} kinds={props.kinds} />
        </div>
      </div>
      {may && (
        <div className="buttons">
          <Button variant="outline" theme="default" onClick={props.onEdit} data-testid={props.testId}>
            {t('byhand.edit')}
          </Button>
        </div>
      )}
    </div>
  );
}

/** MerchantDomains shows and sets the domains of one merchant, read from WeChat at once. */
export function MerchantDomains({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const server = useQuery(merchantDomainsQuery(appid));
  const webview = useQuery(webviewDomainsQuery(appid));
  const [editing, setEditing] = useState<'server' | 'webview' | null>(null);
  const params = { path: { appid } };
  return (
    <>
      <Panel title={t('byhand.domains')} hint={t('byhand.domainsHint')} testId="merchant-domains">
        <QueryView query={server} rows={2}>
          {(lists) =>
            editing === 'server' ? (
              <Edit
                kinds={serverKinds}
                now={lists}
                onClose={() => setEditing(null)}
                save={async (body) => {
                  const now = await call(api.PUT('/authorizers/{appid}/domains', { params, body }));
                  client.setQueryData(merchantDomainsQuery(appid).queryKey, now);
                }}
              />
            ) : (
              <Show
                set={lists}
                effective={lists.effective ?? null}
                kinds={serverKinds}
                onEdit={() => setEditing('server')}
                testId="edit-domains"
              />
            )
          }
        </QueryView>
      </Panel>
      <Panel title={t('byhand.webview')} testId="merchant-webview">
        <QueryView query={webview} rows={1}>
          {(lists) =>
            editing === 'webview' ? (
              <Edit
                kinds={['webview']}
                now={{ webview: lists.webview }}
                onClose={() => setEditing(null)}
                save={async (body) => {
                  const now = await call(
                    api.PUT('/authorizers/{appid}/webview-domains', { params, body: { webview: body.webview ?? [] } }),
                  );
                  client.setQueryData(webviewDomainsQuery(appid).queryKey, now);
                }}
              />
            ) : (
              <Show
                set={{ webview: lists.webview }}
                effective={{ webview: lists.effective }}
                kinds={['webview']}
                onEdit={() => setEditing('webview')}
                testId="edit-webview"
              />
            )
          }
        </QueryView>
      </Panel>
    </>
  );
}
