import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '../api/client';
import { allCategoriesQuery } from '../api/operations';
import { Button } from '../components/Button';
import { Combo } from '../components/Combo';
import { useConfirm } from '../components/Confirm';
import { Field } from '../components/Field';
import { ProofPick } from '../components/ProofPick';
import { QueryView } from '../components/QueryView';
import { Segmented } from '../components/Segmented';
import { type CategoryNode, categoryChoices, proofsOf, type Uploaded, withProofs } from '../logic/operations';
import { useAsked } from './ProfileForms';

/** Wanted is the category whose certificates are to be submitted again; second 0: one is to be added. */
export interface Wanted {
  first: number;
  second: number;
  title: string;
}

interface Props {
  appid: string;
  wanted: Wanted;
  own: readonly { first: number; second: number }[];
  onDone: () => void;
}

function Form({ appid, wanted, own, onDone, nodes }: Props & { nodes: CategoryNode[] }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const asked = useAsked(appid);
  const again = wanted.second !== 0;
  const choices = categoryChoices(nodes, again ? [] : own);
  const [value, setValue] = useState(again ? `${wanted.first}/${wanted.second}` : '');
  const [group, setGroup] = useState(0);
  const [uploaded, setUploaded] = useState<Uploaded>({});
  const choice = choices.find((c) => `${c.first}/${c.second}` === value);
  const groups = choice?.node.proofs ?? [];
  const names = groups[group] ?? [];
  const proofs = (name: string) => proofsOf(uploaded, value, name);
  const ready = choice !== undefined && names.every((name) => proofs(name).length > 0);

  function submit() {
    if (!choice) return;
    confirm({
      title: t('ops.addCategoryConfirm', { name: choice.title }),
      hint: t('ops.addCategoryHint'),
      ok: t('ops.submit'),
      run: async () => {
        const certificates = names.flatMap((name) => proofs(name).map((media_id) => ({ name, media_id })));
        const options = {
          params: { path: { appid } },
          body: { first: choice.first, second: choice.second, certificates },
        };
        const change = await call(
          again
            ? api.PUT('/authorizers/{appid}/categories', options)
            : api.POST('/authorizers/{appid}/categories', options),
        );
        onDone();
        await asked(change);
      },
    });
  }

  return (
    <form
      className="form"
      onSubmit={(e) => {
        e.preventDefault();
        if (ready) submit();
      }}
    >
      <Field name="category" group label={t('ops.category')} hint={choice?.node.remark}>
        {again ? (
          <b>{wanted.title}</b>
        ) : (
          <Combo
            name="category"
            value={value}
            text={choice?.title ?? ''}
            options={choices.map((c) => ({ value: `${c.first}/${c.second}`, title: c.title }))}
            onPick={(picked) => {
              setValue(picked);
              setGroup(0);
            }}
            label={t('ops.category')}
            placeholder={t('ops.chooseCategory')}
          />
        )}
      </Field>
      {groups.length > 0 && <p className="muted">{t('ops.proofsHint')}</p>}
      {groups.length > 1 && (
        <Segmented
          name="proof-group"
          label={t('ops.proofs')}
          value={String(group)}
          onChange={(v) => setGroup(Number(v))}
          options={groups.map((_, i) => ({ value: String(i), label: t('ops.proofGroup', { n: i + 1 }) }))}
        />
      )}
      {names.map((name) => (
        <ProofPick
          key={`${value} ${name}`}
          appid={appid}
          name={`proof-${names.indexOf(name)}`}
          label={name}
          value={proofs(name)}
          onChange={(edit) => setUploaded((now) => withProofs(now, value, name, edit))}
          most={5}
        />
      ))}
      <div>
        <Button type="submit" disabled={!ready} data-testid="submit-category">
          {t('ops.submit')}
        </Button>
      </div>
    </form>
  );
}

/** CategoryForm adds a category, or submits other certificates for one that was refused. */
export function CategoryForm(props: Props) {
  const query = useQuery(allCategoriesQuery(props.appid));
  return (
    <QueryView query={query} rows={3}>
      {(nodes) => <Form {...props} nodes={nodes} />}
    </QueryView>
  );
}
